// The module `fs` over the program's own files, and standard input.
(function (internal) {
  'use strict';
  const p = internal.primordials;
  const { arrayPush, stringSlice, stringSplit, stringStartsWith } = p;
  const { answers, host, kindOf } = internal;
  const { op } = host;
  const errors = {
    '-2': ['ENOENT', 'no such file or directory', -2], '-20': ['ENOTDIR', 'not a directory', -20],
    '-21': ['EISDIR', 'illegal operation on a directory', -21], '-17': ['EEXIST', 'file already exists', -17],
    '-28': ['ENOSPC', 'no space left on device', -28], '-39': ['ENOTEMPTY', 'directory not empty', -39],
    '-22': ['EINVAL', 'invalid argument', -22], '-13': ['EACCES', 'permission denied', -13],
    '-9': ['EBADF', 'bad file descriptor', -9],
  };

  function fail(number, call, path) {
    const [code, text, errno] = errors[number] ?? ['EIO', 'input/output error', number];
    const error = new p.Error(`${code}: ${text}, ${call}${path === undefined ? '' : ` '${path}'`}`);
    error.errno = errno;
    error.code = code;
    error.syscall = call;
    if (path !== undefined) error.path = path;
    throw error;
  }
  const done = (answer, call, path) => (answer < 0 ? fail(answer, call, path) : answer);

  const isStdin = (path) => path === 0 || path === '/dev/stdin' || path === '/proc/self/fd/0' || path === '/dev/fd/0';
  const outputOf = (path) => (path === 1 || path === '/dev/stdout' || path === '/proc/self/fd/1' ? 1
    : path === 2 || path === '/dev/stderr' || path === '/proc/self/fd/2' ? 2 : undefined);
  const pathText = (path, name = 'path') => {
    if (typeof path === 'string') return path;
    if (path instanceof p.Uint8Array) return internal.utf8.decode(path);
    if (path !== null && typeof path === 'object' && typeof path.pathname === 'string') return path.pathname;
    throw internal.nodeError(p.TypeError, 'ERR_INVALID_ARG_TYPE', `The "${name}" argument must be of type string or an `
      + `instance of Buffer or URL. Received ${internal.received(path)}`);
  };
  const encodingOf = (options) => (typeof options === 'string' ? options : options?.encoding);

  // Files that the program opened by number. 0, 1 and 2 are the streams.
  const open = new p.Map();
  let nextNumber = 3;
  const file = (fd, call) => p.mapGet(open, fd) ?? fail(-9, call);

  function readBytes(path) {
    if (typeof path === 'number') path = file(path, 'read').path;
    const bytes = internal.readAll(op.readFile, path);
    return typeof bytes === 'number' ? fail(bytes, bytes === -21 ? 'read' : 'open', bytes === -21 ? undefined : path) : bytes;
  }
  function writeAll(code, path, data, options) {
    const fd = outputOf(path);
    if (fd !== undefined) return internal.writeTo(fd, typeof data === 'string' ? data : data, encodingOf(options));
    if (typeof path === 'number') path = file(path, 'write').path;
    if (typeof data !== 'string' && p.typedArrayTag(data) === undefined && kindOf(data) !== 'DataView') {
      throw internal.nodeError(p.TypeError, 'ERR_INVALID_ARG_TYPE', 'The "data" argument must be of type string or an '
        + `instance of Buffer, TypedArray, or DataView. Received ${internal.received(data)}`);
    }
    const bytes = internal.bytesToWrite(data, encodingOf(options));
    let mode = options?.flag?.[0] === 'a' ? op.appendFile : code;
    let at = 0;
    do {
      const part = p.typedArraySubarray(bytes, at, p.min(at + internal.bytes.length, bytes.length));
      p.typedArraySet(internal.bytes, part);
      done(host.text(mode, path, part.length), 'open', path);
      at += part.length;
      mode = op.appendFile;
    } while (at < bytes.length);
  }

  class Stats {
    constructor(kind, size) {
      this.size = size;
      this.mode = kind === 2 ? 16877 : 33188;
      this.mtimeMs = this.atimeMs = this.ctimeMs = this.birthtimeMs = p.dateNow();
      this.mtime = this.atime = this.ctime = this.birthtime = new p.Date(this.mtimeMs);
      p.defineProperty(this, 'kind', { value: kind });
    }
    isFile() { return this.kind === 1; }
    isDirectory() { return this.kind === 2; }
    isSymbolicLink() { return false; }
    isFIFO() { return false; }
    isSocket() { return false; }
    isBlockDevice() { return false; }
    isCharacterDevice() { return false; }
  }
  function stat(path, call) {
    if (isStdin(path)) return new Stats(1, internal.stdinBuffer().length);
    const kind = done(host.text(op.stat, pathText(path), 0), call, path);
    return new Stats(kind, answers[1]);
  }
  function names(path) {
    const bytes = internal.readAll(op.list, path);
    if (typeof bytes === 'number') fail(bytes, 'scandir', path);
    const text = internal.utf8.decode(bytes);
    return text === '' ? [] : stringSplit(text, '\n');
  }
  const join = (folder, name) => (p.stringEndsWith(folder, '/') ? folder + name : `${folder}/${name}`);

  const sync = {
    readFileSync(path, options) {
      const encoding = encodingOf(options);
      if (isStdin(path)) {
        if (encoding != null && encoding !== 'buffer' && /^utf-?8$/i.test(encoding)) return internal.stdinText();
        const buffer = internal.stdinBuffer();
        return encoding == null || encoding === 'buffer' ? buffer : buffer.toString(encoding);
      }
      const buffer = internal.toBuffer(readBytes(typeof path === 'number' ? path : pathText(path)));
      return encoding == null || encoding === 'buffer' ? buffer : buffer.toString(encoding);
    },
    writeFileSync: (path, data, options) => writeAll(op.writeFile, typeof path === 'number' ? path : pathText(path), data, options),
    appendFileSync: (path, data, options) => writeAll(op.appendFile, typeof path === 'number' ? path : pathText(path), data, options),
    existsSync(path) {
      try {
        return isStdin(path) || outputOf(path) !== undefined || host.text(op.stat, pathText(path), 0) > 0;
      } catch {
        return false;
      }
    },
    accessSync(path) { if (!sync.existsSync(path)) fail(-2, 'access', path); },
    statSync(path, options) {
      if (options?.throwIfNoEntry === false && !sync.existsSync(path)) return undefined;
      return stat(path, 'stat');
    },
    lstatSync: (path) => stat(path, 'lstat'),
    fstatSync: (fd) => (fd < 3 ? new Stats(1, fd === 0 ? internal.stdinBuffer().length : 0) : stat(file(fd, 'fstat').path, 'fstat')),
    unlinkSync(path) { done(host.text(op.remove, pathText(path), 0), 'unlink', path); },
    rmdirSync(path) { done(host.text(op.remove, pathText(path), 1), 'rmdir', path); },
    rmSync(path, options) {
      path = pathText(path);
      const kind = host.text(op.stat, path, 0);
      if (kind < 0) {
        if (options?.force) return;
        fail(kind, 'rm', path);
      }
      if (kind === 2) {
        if (!options?.recursive) fail(-21, 'rm', path);
        for (const name of names(path)) sync.rmSync(join(path, name), options);
        sync.rmdirSync(path);
      } else {
        sync.unlinkSync(path);
      }
    },
    mkdirSync(path, options) {
      path = pathText(path);
      if (!options?.recursive) {
        done(host.text(op.makeFolder, path, 0), 'mkdir', path);
        return undefined;
      }
      let at = stringStartsWith(path, '/') ? '' : '.';
      for (const name of stringSplit(path, '/')) {
        if (name === '') continue;
        at = `${at}/${name}`;
        if (host.text(op.stat, at, 0) !== 2) done(host.text(op.makeFolder, at, 0), 'mkdir', at);
      }
      return path;
    },
    readdirSync(path, options) {
      path = pathText(path);
      const result = [];
      for (const name of p.arraySort(names(path))) {
        if (!options?.withFileTypes) {
          arrayPush(result, name);
          continue;
        }
        const kind = host.text(op.stat, join(path, name), 0);
        arrayPush(result, { name, path, parentPath: path, isFile: () => kind === 1, isDirectory: () => kind === 2, isSymbolicLink: () => false });
      }
      return result;
    },
    renameSync(from, to) {
      sync.writeFileSync(to, sync.readFileSync(from));
      sync.unlinkSync(from);
    },
    copyFileSync(from, to) { sync.writeFileSync(to, sync.readFileSync(from)); },
    truncateSync(path, length = 0) { sync.writeFileSync(path, sync.readFileSync(path).subarray(0, length)); },
    realpathSync: (path) => pathText(path),
    mkdtempSync(prefix) {
      const path = `${prefix}AbCdEf`;
      sync.mkdirSync(path);
      return path;
    },
    openSync(path, flags = 'r') {
      if (isStdin(path)) return 0;
      if (outputOf(path) !== undefined) return outputOf(path);
      path = pathText(path);
      const exists = host.text(op.stat, path, 0) > 0;
      if (flags[0] === 'r' && !exists) fail(-2, 'open', path);
      if (flags[0] === 'w') sync.writeFileSync(path, '');
      if (flags[0] === 'a' && !exists) sync.writeFileSync(path, '');
      p.mapSet(open, nextNumber, { path, at: 0, appends: flags[0] === 'a' });
      return nextNumber++;
    },
    closeSync(fd) { if (fd > 2 && !p.mapDelete(open, fd)) fail(-9, 'close'); },
    readSync(fd, buffer, offset, length, position) {
      if (offset !== null && typeof offset === 'object') ({ offset, length, position } = offset);
      offset ??= 0;
      length ??= buffer.byteLength - offset;
      const state = fd === 0 ? stdinState : file(fd, 'read');
      const all = fd === 0 ? (stdinState.bytes ??= internal.stdinBuffer()) : readBytes(fd);
      const start = typeof position === 'number' || typeof position === 'bigint' ? p.Number(position) : state.at;
      const n = p.max(0, p.min(length, all.length - start));
      p.typedArraySet(internal.bytesOf(buffer), p.typedArraySubarray(all, start, start + n), offset);
      if (start === state.at) state.at += n;
      return n;
    },
    writeSync(fd, data, offset, length) {
      let part = data;
      if (typeof data !== 'string') {
        part = internal.bytesOf(data);
        part = p.typedArraySubarray(part, offset ?? 0, (offset ?? 0) + (length ?? part.length - (offset ?? 0)));
      }
      const bytes = typeof part === 'string' ? internal.utf8.encode(part) : part;
      if (fd === 1 || fd === 2) internal.writeTo(fd, part);
      else writeAll(op.appendFile, file(fd, 'write').path, bytes);
      return bytes.length;
    },
    fsyncSync() {},
    chmodSync() {},
    utimesSync() {},
  };
  const stdinState = { at: 0, bytes: undefined };

  const fs = {};
  const promises = {};
  for (const key of p.keys(sync)) {
    fs[key] = sync[key];
    const name = stringSlice(key, 0, -4);
    if (name === 'exists') {
      fs.exists = (path, callback) => internal.poll(() => callback(sync.existsSync(path)));
      continue;
    }
    fs[name] = (...args) => {
      const callback = args[args.length - 1];
      if (typeof callback !== 'function') {
        throw internal.nodeError(p.TypeError, 'ERR_INVALID_ARG_TYPE',
          `The "cb" argument must be of type function. Received ${internal.received(callback)}`);
      }
      args.length -= 1;
      internal.poll(() => {
        let result;
        try {
          result = p.apply(sync[key], undefined, args);
        } catch (error) {
          callback(error);
          return;
        }
        callback(null, result);
      });
    };
    promises[name] = (...args) => new p.Promise((resolve, reject) => {
      internal.poll(() => {
        try {
          resolve(p.apply(sync[key], undefined, args));
        } catch (error) {
          reject(error);
        }
      });
    });
  }
  fs.promises = promises;
  fs.constants = promises.constants = { F_OK: 0, R_OK: 4, W_OK: 2, X_OK: 1, O_RDONLY: 0, O_WRONLY: 1, O_RDWR: 2 };
  fs.Stats = Stats;
  // A stream of a file: all of it in one piece.
  fs.createReadStream = (path, options) => {
    if (isStdin(path) || isStdin(options?.fd)) return internal.process.stdin;
    const stream = new internal.Readable({ encoding: encodingOf(options) });
    internal.poll(() => {
      try {
        stream.push(sync.readFileSync(path));
        stream.push(null);
      } catch (error) {
        stream.destroy(error);
      }
    });
    return stream;
  };
  fs.createWriteStream = (path) => {
    const fd = outputOf(path);
    if (fd !== undefined) return fd === 1 ? internal.process.stdout : internal.process.stderr;
    sync.writeFileSync(path, '');
    return new internal.Writable({
      write(chunk, encoding, callback) {
        sync.appendFileSync(path, chunk);
        callback();
      },
    });
  };
  internal.fs = fs;
  internal.isStdinPath = isStdin;
})
