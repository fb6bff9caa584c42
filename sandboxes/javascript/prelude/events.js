// The module `events`.
(function (internal) {
  'use strict';
  const p = internal.primordials;
  const { apply, arrayPush, arraySlice, arraySplice, ownKeys } = p;

  function EventEmitter() {
    init(this);
  }
  const init = (emitter) => {
    if (emitter._events === undefined || emitter._events === p.getPrototypeOf(emitter)._events) {
      emitter._events = { __proto__: null };
      emitter._eventsCount = 0;
    }
    emitter._maxListeners ??= undefined;
  };
  const listOf = (emitter, name) => {
    if (emitter._events === undefined) init(emitter);
    return emitter._events[name];
  };
  const check = (listener) => {
    if (typeof listener !== 'function') {
      throw internal.nodeError(p.TypeError, 'ERR_INVALID_ARG_TYPE',
        `The "listener" argument must be of type function. Received ${internal.received(listener)}`);
    }
  };
  function add(emitter, name, listener, atFront) {
    check(listener);
    if (listOf(emitter, 'newListener') !== undefined) emitter.emit('newListener', name, listener.listener ?? listener);
    const list = emitter._events[name];
    if (list === undefined) {
      emitter._events[name] = [listener];
      emitter._eventsCount++;
    } else if (atFront) {
      emitter._events[name] = [listener, ...list];
    } else {
      arrayPush(list, listener);
    }
    return emitter;
  }
  function once(emitter, name, listener) {
    check(listener);
    const wrapper = function (...args) {
      emitter.removeListener(name, wrapper);
      return apply(listener, emitter, args);
    };
    wrapper.listener = listener;
    return wrapper;
  }

  const methods = {
    on(name, listener) { return add(this, name, listener, false); },
    addListener(name, listener) { return add(this, name, listener, false); },
    prependListener(name, listener) { return add(this, name, listener, true); },
    once(name, listener) { return this.on(name, once(this, name, listener)); },
    prependOnceListener(name, listener) { return this.prependListener(name, once(this, name, listener)); },
    off(name, listener) { return this.removeListener(name, listener); },
    removeListener(name, listener) {
      const list = listOf(this, name);
      if (list === undefined) return this;
      for (let i = list.length - 1; i >= 0; i--) {
        if (list[i] === listener || list[i].listener === listener) {
          if (list.length === 1) {
            delete this._events[name];
            this._eventsCount--;
          } else {
            this._events[name] = arraySlice(list);
            arraySplice(this._events[name], i, 1);
          }
          if (this._events.removeListener !== undefined) this.emit('removeListener', name, listener);
          break;
        }
      }
      return this;
    },
    removeAllListeners(name) {
      if (arguments.length === 0) {
        this._events = { __proto__: null };
        this._eventsCount = 0;
      } else if (listOf(this, name) !== undefined) {
        delete this._events[name];
        this._eventsCount--;
      }
      return this;
    },
    emit(name, ...args) {
      const list = listOf(this, name);
      if (list === undefined) {
        if (name !== 'error') return false;
        const error = args[0];
        if (error instanceof p.Error) throw error;
        throw internal.nodeError(p.Error, 'ERR_UNHANDLED_ERROR', `Unhandled error. (${typeof error === 'string'
          ? `'${error}'` : internal.inspect(error)})`);
      }
      // A listener that is removed meanwhile is still called this time.
      for (const listener of arraySlice(list)) apply(listener, this, args);
      return true;
    },
    listenerCount(name) { return listOf(this, name)?.length ?? 0; },
    listeners(name) {
      const result = [];
      for (const listener of listOf(this, name) ?? []) arrayPush(result, listener.listener ?? listener);
      return result;
    },
    rawListeners(name) { return arraySlice(listOf(this, name) ?? []); },
    eventNames() { return this._events === undefined ? [] : ownKeys(this._events); },
    setMaxListeners(n) { this._maxListeners = n; return this; },
    getMaxListeners() { return this._maxListeners ?? EventEmitter.defaultMaxListeners; },
  };
  for (const name of p.keys(methods)) {
    p.defineProperty(EventEmitter.prototype, name, { value: methods[name], writable: true, configurable: true, enumerable: true });
  }
  EventEmitter.prototype._events = undefined;
  EventEmitter.prototype._eventsCount = 0;
  EventEmitter.prototype._maxListeners = undefined;
  EventEmitter.defaultMaxListeners = 10;
  EventEmitter.EventEmitter = EventEmitter;
  EventEmitter.errorMonitor = Symbol('events.errorMonitor');
  EventEmitter.captureRejectionSymbol = Symbol.for('nodejs.rejection');
  EventEmitter.listenerCount = (emitter, name) => emitter.listenerCount(name);
  EventEmitter.once = (emitter, name) => new p.Promise((resolve, reject) => {
    const fail = (error) => { emitter.removeListener(name, succeed); reject(error); };
    const succeed = (...args) => { emitter.removeListener('error', fail); resolve(args); };
    emitter.once(name, succeed);
    if (name !== 'error') emitter.once('error', fail);
  });
  EventEmitter.on = (emitter, name) => {
    const queue = [];
    const waiting = [];
    let failure;
    emitter.on(name, (...args) => {
      if (waiting.length > 0) p.arrayShift(waiting).resolve({ value: args, done: false });
      else arrayPush(queue, args);
    });
    emitter.on('error', (error) => {
      failure = { error };
      while (waiting.length > 0) p.arrayShift(waiting).reject(error);
    });
    return {
      next: () => new p.Promise((resolve, reject) => {
        if (queue.length > 0) resolve({ value: p.arrayShift(queue), done: false });
        else if (failure !== undefined) reject(failure.error);
        else arrayPush(waiting, { resolve, reject });
      }),
      return: () => p.resolve({ value: undefined, done: true }),
      [p.asyncIterator]() { return this; },
    };
  };

  internal.EventEmitter = EventEmitter;
})
