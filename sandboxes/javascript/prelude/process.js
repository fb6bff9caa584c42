// `process`: arguments, streams, exit.
(function (internal) {
  'use strict';
  const p = internal.primordials;
  const { arrayPush, defineProperty, typedArraySet, typedArraySubarray } = p;
  const { EventEmitter, bytes, host } = internal;
  const VERSION = '20.20.2';
  const CHUNK = bytes.length;

  // Writes bytes or text to one of the streams of the system.
  internal.writeTo = (fd, value, encoding) => {
    if (typeof value === 'string' && (encoding === undefined || /^utf-?8$/i.test(encoding))) {
      if (value !== '') host.write(fd, value);
      return;
    }
    const all = internal.bytesToWrite(value, encoding);
    for (let at = 0; at < all.length; at += CHUNK) {
      const part = typedArraySubarray(all, at, p.min(at + CHUNK, all.length));
      typedArraySet(bytes, part);
      host.call(host.op.writeBytes, fd, part.length);
    }
  };

  class Output extends EventEmitter {
    constructor(fd) {
      super();
      this.fd = fd;
      this.writable = true;
      this.isTTY = undefined;
      this._type = 'fs';
      this.writableLength = 0;
      this.writableHighWaterMark = 16384;
    }
    write(value, encoding, callback) {
      if (typeof encoding === 'function') [callback, encoding] = [encoding, undefined];
      if (typeof value !== 'string' && p.typedArrayTag(value) === undefined) {
        throw internal.nodeError(p.TypeError, 'ERR_INVALID_ARG_TYPE', 'The "chunk" argument must be of type string or '
          + `an instance of Buffer or Uint8Array. Received ${internal.received(value)}`);
      }
      internal.writeTo(this.fd, value, encoding);
      if (typeof callback === 'function') internal.nextTick(callback);
      return true;
    }
    end(value, encoding, callback) {
      if (typeof value === 'function') [callback, value] = [value, undefined];
      if (value != null) this.write(value, encoding);
      if (typeof callback === 'function') internal.nextTick(callback);
      internal.nextTick(() => this.emit('finish'));
      return this;
    }
    cork() {}
    uncork() {}
    destroy() { return this; }
    setDefaultEncoding() { return this; }
    getWindowSize() { return [80, 24]; }
    hasColors() { return false; }
    getColorDepth() { return 1; }
  }

  // Standard input comes as one piece, however long it is.
  class Input extends EventEmitter {
    #encoding = null;
    #isOver = false;
    #isScheduled = false;
    #isFlowing = false;
    #pending = null;
    constructor() {
      super();
      this.fd = 0;
      this.isTTY = undefined;
      this.readable = true;
      this.destroyed = false;
    }
    setEncoding(encoding) { this.#encoding = encoding ?? 'utf8'; return this; }
    on(name, listener) {
      super.on(name, listener);
      if (name === 'data') this.resume();
      else if (name === 'readable') this.#schedule();
      return this;
    }
    addListener(name, listener) { return this.on(name, listener); }
    once(name, listener) {
      super.once(name, listener);
      if (name === 'data') this.resume();
      return this;
    }
    resume() { this.#isFlowing = true; this.#schedule(); return this; }
    pause() { this.#isFlowing = false; return this; }
    isPaused() { return !this.#isFlowing; }
    ref() { return this; }
    unref() { return this; }
    setRawMode() { return this; }
    destroy() { this.destroyed = true; this.#isOver = true; return this; }
    read() {
      const chunk = this.#pending;
      this.#pending = null;
      return chunk;
    }
    pipe(target) {
      this.on('data', (chunk) => target.write(chunk));
      this.on('end', () => { if (target !== process.stdout && target !== process.stderr) target.end?.(); });
      return target;
    }
    #all() {
      if (this.#encoding === null) return internal.stdinBuffer();
      return /^utf-?8$/i.test(this.#encoding) ? internal.stdinText() : internal.stdinBuffer().toString(this.#encoding);
    }
    #schedule() {
      if (this.#isScheduled || this.#isOver) return;
      this.#isScheduled = true;
      internal.poll(() => {
        this.#isScheduled = false;
        this.#deliver();
      });
    }
    #deliver() {
      if (this.#isOver || !(this.#isFlowing || this.listenerCount('readable') > 0)) return;
      this.#isOver = true;
      const chunk = this.#all();
      if (chunk.length > 0) {
        if (this.listenerCount('readable') > 0) {
          this.#pending = chunk;
          this.emit('readable');
        } else {
          this.emit('data', chunk);
        }
      }
      internal.poll(() => {
        if (this.listenerCount('readable') > 0) this.emit('readable');
        this.readable = false;
        this.emit('end');
        internal.nextTick(() => this.emit('close'));
      });
    }
    async* [p.asyncIterator]() {
      if (this.#isOver) return;
      this.#isOver = true;
      await new p.Promise((resolve) => internal.poll(resolve));
      const chunk = this.#all();
      if (chunk.length > 0) yield chunk;
    }
    iterator() { return this[p.asyncIterator](); }
    async toArray() { const all = []; for await (const chunk of this) arrayPush(all, chunk); return all; }
  }

  const process = new EventEmitter();
  let isExiting = false;
  let code;
  const fields = {
    title: 'node', pid: 1, ppid: 0, arch: 'x64', platform: 'linux', version: `v${VERSION}`,
    versions: { node: VERSION, v8: '11.3.244.8-node.33', uv: '1.46.0', modules: '115' },
    release: { name: 'node', lts: 'Iron' }, argv: ['/usr/local/bin/node', '/main.js'], execArgv: [], argv0: 'node',
    execPath: '/usr/local/bin/node', env: {}, features: {}, config: {}, exiting: false,
    stdin: new Input(), stdout: new Output(1), stderr: new Output(2),
    nextTick: internal.nextTick,
    cwd: () => '/',
    chdir() {},
    umask: () => 18,
    uptime: () => internal.now() / 1000,
    getuid: () => 1000, geteuid: () => 1000, getgid: () => 1000, getegid: () => 1000,
    memoryUsage: p.assign(() => ({ rss: 50000000, heapTotal: 8000000, heapUsed: 5000000, external: 400000, arrayBuffers: 10000 }),
      { rss: () => 50000000 }),
    cpuUsage: () => ({ user: p.floor(internal.now() * 1000), system: 0 }),
    resourceUsage: () => ({ userCPUTime: p.floor(internal.now() * 1000), systemCPUTime: 0, maxRSS: 50000 }),
    hrtime: p.assign((before) => {
      const nanos = internal.now() * 1e6;
      let seconds = p.floor(nanos / 1e9);
      let rest = p.floor(nanos % 1e9);
      if (before !== undefined) {
        seconds -= before[0];
        rest -= before[1];
        if (rest < 0) {
          seconds -= 1;
          rest += 1e9;
        }
      }
      return [seconds, rest];
    }, { bigint: () => p.BigInt(p.floor(internal.now() * 1e6)) }),
    emitWarning(warning) {
      const text = typeof warning === 'string' ? `Warning: ${warning}` : p.errorToString(warning);
      host.write(2, `(node:1) ${text}\n`);
    },
    exit(status) {
      if (status !== undefined) process.exitCode = status;
      internal.exit();
    },
    reallyExit(status) { host.exit(status | 0); },
    abort() { host.exit(134); },
    kill() { host.exit(143); },
    binding(name) { throw new p.Error(`No such module: ${name}`); },
  };
  for (const name of p.keys(fields)) {
    defineProperty(process, name, { value: fields[name], writable: true, configurable: true, enumerable: true });
  }
  defineProperty(process, 'exitCode', {
    get: () => code,
    set(value) {
      if (value != null && !p.isInteger(typeof value === 'string' && value !== '' ? +value : value)) {
        throw internal.nodeError(p.TypeError, 'ERR_INVALID_ARG_TYPE',
          `The "code" argument must be of type number. Received ${internal.received(value)}`);
      }
      code = value;
    },
    enumerable: true, configurable: true,
  });
  defineProperty(process, p.toStringTag, { value: 'process', configurable: true });

  // The code the program ends with, after what it wants to do before.
  internal.exitCode = () => {
    if (!isExiting) {
      isExiting = true;
      process.exiting = true;
      process.emit('exit', (code ?? 0) | 0);
    }
    return (code ?? 0) | 0;
  };
  internal.exit = () => host.exit(internal.exitCode());
  internal.process = process;
})
