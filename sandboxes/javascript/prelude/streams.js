// The module `stream`: `Readable`, `Writable`, `Transform` with what short programs use of them.
(function (internal) {
  'use strict';
  const p = internal.primordials;
  const { arrayPush, arrayShift } = p;
  const { EventEmitter } = internal;

  class Readable extends EventEmitter {
    constructor(options = {}) {
      super();
      this._chunks = [];
      this._encoding = options?.encoding ?? null;
      this._hasEnded = false;
      this._flows = false;
      this._isAsked = false;
      this.readable = true;
      this.destroyed = false;
      if (typeof options?.read === 'function') this._read = options.read;
    }
    _read() {}
    setEncoding(encoding) { this._encoding = encoding; return this; }
    push(chunk) {
      this._isAsked = false;
      if (chunk === null) this._hasEnded = true;
      else arrayPush(this._chunks, this._encoding !== null && typeof chunk !== 'string' ? chunk.toString(this._encoding) : chunk);
      this._pump();
      return true;
    }
    on(name, listener) {
      super.on(name, listener);
      if (name === 'data') this.resume();
      return this;
    }
    resume() { this._flows = true; this._pump(); return this; }
    pause() { this._flows = false; return this; }
    read() { return arrayShift(this._chunks) ?? null; }
    destroy(error) {
      if (this.destroyed) return this;
      this.destroyed = true;
      internal.nextTick(() => {
        if (error) this.emit('error', error);
        this.emit('close');
      });
      return this;
    }
    _pump() {
      internal.nextTick(() => {
        while (this._flows && !this.destroyed && this._chunks.length > 0) this.emit('data', arrayShift(this._chunks));
        if (this.destroyed || this._chunks.length > 0) return;
        if (this._hasEnded) {
          if (this._flows && this.readable) {
            this.readable = false;
            this.emit('end');
            this.emit('close');
          }
        } else if (this._flows && !this._isAsked) {
          this._isAsked = true;
          this._read();
        }
      });
    }
    pipe(target) {
      this.on('data', (chunk) => target.write(chunk));
      this.on('end', () => { if (target.fd === undefined) target.end(); });
      return target;
    }
    async* [p.asyncIterator]() {
      const queue = [];
      let wake = () => {};
      let isOver = false;
      let failure;
      this.on('error', (error) => { failure = { error }; isOver = true; wake(); });
      this.on('end', () => { isOver = true; wake(); });
      this.on('data', (chunk) => { arrayPush(queue, chunk); wake(); });
      for (;;) {
        while (queue.length > 0) yield arrayShift(queue);
        if (failure !== undefined) throw failure.error;
        if (isOver) return;
        await new p.Promise((resolve) => { wake = resolve; });
      }
    }
    static from(iterable) {
      const stream = new Readable();
      (async () => {
        for await (const item of iterable) stream.push(item);
        stream.push(null);
      })();
      return stream;
    }
  }

  class Writable extends EventEmitter {
    constructor(options = {}) {
      super();
      this.writable = true;
      this.destroyed = false;
      this._queue = [];
      this._isBusy = false;
      this._isEnding = false;
      this._decodes = options?.decodeStrings !== false && !options?.objectMode;
      if (typeof options?.write === 'function') this._write = options.write;
      if (typeof options?.final === 'function') this._final = options.final;
    }
    _write(chunk, encoding, callback) { callback(); }
    _final(callback) { callback(); }
    write(chunk, encoding, callback) {
      if (typeof encoding === 'function') [callback, encoding] = [encoding, undefined];
      if (this._decodes && typeof chunk === 'string') chunk = internal.Buffer.from(chunk, encoding);
      arrayPush(this._queue, { chunk, encoding: encoding ?? 'utf8', callback });
      this._drain();
      return true;
    }
    end(chunk, encoding, callback) {
      if (typeof chunk === 'function') [callback, chunk] = [chunk, undefined];
      if (chunk != null) this.write(chunk, encoding);
      if (typeof callback === 'function') this.once('finish', callback);
      this._isEnding = true;
      this._drain();
      return this;
    }
    destroy(error) {
      this.destroyed = true;
      internal.nextTick(() => {
        if (error) this.emit('error', error);
        this.emit('close');
      });
      return this;
    }
    cork() {}
    uncork() {}
    setDefaultEncoding() { return this; }
    _drain() {
      if (this._isBusy) return;
      const next = arrayShift(this._queue);
      if (next === undefined) {
        if (this._isEnding && this.writable) {
          this.writable = false;
          this._final((error) => internal.nextTick(() => {
            if (error) this.emit('error', error);
            else { this.emit('finish'); this.emit('close'); }
          }));
        }
        return;
      }
      this._isBusy = true;
      this._write(next.chunk, next.encoding, (error) => {
        this._isBusy = false;
        if (error) this.destroy(error);
        next.callback?.(error);
        this._drain();
      });
    }
  }

  class Duplex extends Readable {
    constructor(options = {}) {
      super(options);
      beWritable(this, options);
    }
  }
  function beWritable(self, options) {
    self.writable = true;
    self._queue = [];
    self._isBusy = false;
    self._isEnding = false;
    self._decodes = options?.decodeStrings !== false && !options?.objectMode;
    if (typeof options?.write === 'function') self._write = options.write;
    if (typeof options?.final === 'function') self._final = options.final;
  }
  for (const name of ['_write', '_final', 'write', 'end', 'cork', 'uncork', 'setDefaultEncoding', '_drain']) {
    p.defineProperty(Duplex.prototype, name, { value: Writable.prototype[name], writable: true, configurable: true });
  }
  class Transform extends Duplex {
    constructor(options = {}) {
      super(options);
      if (typeof options?.transform === 'function') this._transform = options.transform;
      if (typeof options?.flush === 'function') this._flush = options.flush;
    }
    _transform(chunk, encoding, callback) { callback(null, chunk); }
    _flush(callback) { callback(); }
    _write(chunk, encoding, callback) {
      this._transform(chunk, encoding, (error, result) => {
        if (!error && result != null) this.push(result);
        callback(error);
      });
    }
    _final(callback) {
      this._flush((error, result) => {
        if (result != null) this.push(result);
        this.push(null);
        callback(error);
      });
    }
  }
  class PassThrough extends Transform {}

  const finished = (stream, callback) => {
    stream.on('error', callback);
    stream.on(stream instanceof Readable ? 'end' : 'finish', () => callback());
  };
  const pipeline = (...streams) => {
    const callback = typeof streams[streams.length - 1] === 'function' ? streams.pop() : () => {};
    for (let i = 0; i + 1 < streams.length; i++) {
      streams[i].on('error', callback);
      streams[i].pipe(streams[i + 1]);
    }
    const last = streams[streams.length - 1];
    last.on('error', callback);
    last.on('finish', () => callback());
    return last;
  };
  const Stream = class Stream extends EventEmitter {};
  internal.stream = p.assign(Stream, { Stream, Readable, Writable, Duplex, Transform, PassThrough, finished, pipeline });
  Stream.promises = {
    pipeline: (...streams) => new p.Promise((resolve, reject) => pipeline(...streams, (e) => (e ? reject(e) : resolve()))),
    finished: (stream) => new p.Promise((resolve, reject) => finished(stream, (e) => (e ? reject(e) : resolve()))),
  };
  internal.Readable = Readable;
  internal.Writable = Writable;
})
