// `require`: the modules there are, and the program's own files.
(function (internal) {
  'use strict';
  const p = internal.primordials;
  const { arrayPush, create, defineProperty, stringSlice, stringStartsWith } = p;
  const clock = { now: internal.now, timeOrigin: 0, mark() {}, measure: () => ({ duration: 0 }), toJSON: () => ({}) };

  class StringDecoder {
    #codec;
    #rest = new p.Uint8Array(0);
    constructor(encoding = 'utf8') {
      this.encoding = encoding;
      this.#codec = internal.codec(encoding);
    }
    write(bytes) {
      if (typeof bytes === 'string') return bytes;
      const all = new p.Uint8Array(this.#rest.length + bytes.length);
      p.typedArraySet(all, this.#rest);
      p.typedArraySet(all, bytes, this.#rest.length);
      // A character that is not complete waits for the next piece.
      let end = all.length;
      for (let i = 1; i <= p.min(3, all.length); i++) {
        const byte = all[all.length - i];
        if ((byte & 0xc0) === 0x80) continue;
        const size = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
        if (size > i) end = all.length - i;
        break;
      }
      this.#rest = p.typedArraySlice(all, end);
      return this.#codec.decode(p.typedArraySubarray(all, 0, end));
    }
    end(bytes) {
      const text = bytes === undefined ? '' : this.write(bytes);
      const rest = this.#rest.length > 0 ? this.#codec.decode(this.#rest) : '';
      this.#rest = new p.Uint8Array(0);
      return text + rest;
    }
  }

  class AsyncLocalStorage {
    #store;
    run(store, callback, ...args) {
      const before = this.#store;
      this.#store = store;
      try {
        return callback(...args);
      } finally {
        this.#store = before;
      }
    }
    getStore() { return this.#store; }
    enterWith(store) { this.#store = store; }
  }

  const builtin = {
    __proto__: null,
    assert: internal.assert, 'assert/strict': internal.assert.strict, async_hooks: { AsyncLocalStorage },
    buffer: { Buffer: internal.Buffer, atob: globalThis.atob, btoa: globalThis.btoa, constants: { MAX_LENGTH: 4294967296, MAX_STRING_LENGTH: 536870888 }, kMaxLength: 4294967296 },
    console: internal.console, constants: {}, crypto: internal.crypto, events: internal.EventEmitter, fs: internal.fs,
    'fs/promises': internal.fs.promises, path: internal.path, 'path/posix': internal.path,
    os: {
      EOL: '\n', platform: () => 'linux', type: () => 'Linux', arch: () => 'x64', release: () => '5.10.0', hostname: () => 'localhost',
      homedir: () => '/', tmpdir: () => '/tmp', cpus: () => [{ model: 'cpu', speed: 1000, times: {} }], totalmem: () => 1073741824,
      freemem: () => 536870912, uptime: () => internal.now() / 1000, loadavg: () => [0, 0, 0], networkInterfaces: () => ({}),
      userInfo: () => ({ username: 'user', uid: 1000, gid: 1000, homedir: '/', shell: '/bin/sh' }), endianness: () => 'LE',
      availableParallelism: () => 1, constants: { signals: {} }, version: () => '', machine: () => 'x86_64',
    },
    perf_hooks: { performance: clock, PerformanceObserver: class PerformanceObserver { observe() {} disconnect() {} } },
    process: internal.process, punycode: undefined, querystring: internal.querystring, readline: internal.readline,
    'readline/promises': internal.readline.promises, stream: internal.stream, 'stream/promises': internal.stream.promises,
    string_decoder: { StringDecoder }, timers: internal.timers, 'timers/promises': internal.timersPromises,
    tty: { isatty: () => false }, url: internal.url, util: internal.util, 'util/types': internal.util.types,
    v8: { serialize: (value) => internal.Buffer.from(p.stringify(value)), deserialize: (bytes) => p.parse(bytes.toString()), getHeapStatistics: () => ({ heap_size_limit: 4345298944, used_heap_size: 5000000, total_heap_size: 8000000 }) },
    vm: { runInThisContext: (code) => (0, eval)(code), runInNewContext: (code) => (0, eval)(code), Script: class Script { #code; constructor(code) { this.#code = code; } runInThisContext() { return (0, eval)(this.#code); } } },
    worker_threads: { isMainThread: true, parentPort: null, workerData: null, threadId: 0 },
    module: { createRequire: () => requireFrom('/'), builtinModules: [] },
    cluster: { isMaster: true, isPrimary: true, isWorker: false },
  };
  delete builtin.punycode;
  for (const name of p.keys(builtin)) arrayPush(builtin.module.builtinModules, name);
  // What Node has and this is not: they can be named, and that is a reason of its own.
  const nameOf = (name) => (stringStartsWith(name, 'node:') ? stringSlice(name, 5) : name);

  const missing = (name, from) => {
    const error = new p.Error(`Cannot find module '${name}'\nRequire stack:\n- ${from}`);
    error.code = 'MODULE_NOT_FOUND';
    error.requireStack = [from];
    defineProperty(error, 'missing', { value: name, enumerable: false });
    internal.missingModules ??= new p.Set();
    p.setAdd(internal.missingModules, error);
    return error;
  };

  const cache = create(null);
  const folderOf = (path) => internal.path.dirname(path);

  function loadFile(path, from) {
    for (const candidate of [path, `${path}.js`, `${path}.cjs`, `${path}.json`, `${path}/index.js`]) {
      if (cache[candidate] !== undefined) return cache[candidate].exports;
      if (!internal.fs.existsSync(candidate) || internal.fs.statSync(candidate).isDirectory()) continue;
      const source = internal.fs.readFileSync(candidate, 'utf8');
      const module = newModule(candidate);
      cache[candidate] = module;
      try {
        if (p.stringEndsWith(candidate, '.json')) module.exports = p.parse(source);
        else runModule((0, eval)(`(function (exports, require, module, __filename, __dirname) {${source}\n})`), module);
      } catch (error) {
        delete cache[candidate];
        throw error;
      }
      module.loaded = true;
      return module.exports;
    }
    throw missing(path, from);
  }

  function requireFrom(path) {
    function require(name) {
      if (typeof name !== 'string') {
        throw internal.nodeError(p.TypeError, 'ERR_INVALID_ARG_TYPE', `The "id" argument must be of type string. Received ${internal.received(name)}`);
      }
      const known = builtin[nameOf(name)];
      if (known !== undefined) return known;
      if (!/^\.{0,2}\//.test(name) && name !== '.' && name !== '..') throw missing(name, path);
      return loadFile(internal.path.resolve(folderOf(path), name), path);
    }
    require.resolve = (name) => name;
    require.cache = cache;
    require.main = internal.main;
    return require;
  }

  function Module(path) {
    this.id = path === '/main.js' ? '.' : path;
    this.path = folderOf(path);
    this.exports = {};
    this.filename = path;
    this.loaded = false;
    this.children = [];
    this.paths = [];
  }
  const newModule = (path) => new Module(path);
  function runModule(compiled, module) {
    const require = requireFrom(module.filename);
    module.require = require;
    return p.apply(compiled, module.exports, [module.exports, require, module, module.filename, module.path]);
  }

  internal.builtin = builtin;
  internal.newModule = newModule;
  internal.newRequire = () => requireFrom('/tests.js');
  internal.runModule = runModule;
  internal.missing = missing;
  internal.performance = clock;
})
