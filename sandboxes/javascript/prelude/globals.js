// What a program finds in the global scope.
(function (internal) {
  'use strict';
  const p = internal.primordials;
  const { defineProperty } = p;
  const hidden = (name, value) => {
    defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });
  };
  internal.DOMException = globalThis.DOMException;

  hidden('console', internal.console);
  hidden('process', internal.process);
  hidden('Buffer', internal.Buffer);
  hidden('global', globalThis);
  hidden('performance', internal.performance);
  hidden('Intl', internal.Intl);
  hidden('URL', internal.URL);
  hidden('URLSearchParams', internal.URLSearchParams);
  hidden('TextEncoder', internal.TextEncoder);
  hidden('TextDecoder', internal.TextDecoder);
  hidden('crypto', internal.crypto.webcrypto);
  for (const name of p.keys(internal.timers)) hidden(name, internal.timers[name]);
  hidden('structuredClone', internal.structuredClone);

  class Event {
    constructor(type, options = {}) {
      this.type = type;
      this.defaultPrevented = false;
      this.cancelable = !!options.cancelable;
      this.target = null;
      this.timeStamp = internal.now();
    }
    preventDefault() { this.defaultPrevented = this.cancelable; }
    stopImmediatePropagation() { this.isStopped = true; }
    stopPropagation() {}
  }
  class CustomEvent extends Event {
    constructor(type, options = {}) {
      super(type, options);
      this.detail = options.detail ?? null;
    }
  }
  class EventTarget {
    #listeners = new p.Map();
    addEventListener(type, listener, options) {
      const list = p.mapGet(this.#listeners, type) ?? [];
      for (const entry of list) if (entry.listener === listener) return;
      p.arrayPush(list, { listener, once: !!options?.once });
      p.mapSet(this.#listeners, type, list);
    }
    removeEventListener(type, listener) {
      const list = p.mapGet(this.#listeners, type) ?? [];
      p.mapSet(this.#listeners, type, list.filter((entry) => entry.listener !== listener));
    }
    dispatchEvent(event) {
      event.target = this;
      for (const { listener, once } of p.arraySlice(p.mapGet(this.#listeners, event.type) ?? [])) {
        if (once) this.removeEventListener(event.type, listener);
        if (typeof listener === 'function') listener.call(this, event);
        else listener.handleEvent(event);
        if (event.isStopped) break;
      }
      return !event.defaultPrevented;
    }
  }
  class AbortSignal extends EventTarget {
    aborted = false;
    reason = undefined;
    onabort = null;
    throwIfAborted() { if (this.aborted) throw this.reason; }
    static abort(reason) {
      const controller = new AbortController();
      controller.abort(reason);
      return controller.signal;
    }
    static timeout(ms) {
      const controller = new AbortController();
      internal.timers.setTimeout(() => controller.abort(new internal.DOMException('The operation was aborted due to timeout', 'TimeoutError')), ms).unref();
      return controller.signal;
    }
  }
  class AbortController {
    signal = new AbortSignal();
    abort(reason = new internal.DOMException('This operation was aborted', 'AbortError')) {
      if (this.signal.aborted) return;
      this.signal.aborted = true;
      this.signal.reason = reason;
      const event = new Event('abort');
      if (typeof this.signal.onabort === 'function') this.signal.onabort(event);
      this.signal.dispatchEvent(event);
    }
  }
  hidden('Event', Event);
  hidden('CustomEvent', CustomEvent);
  hidden('EventTarget', EventTarget);
  hidden('AbortController', AbortController);
  hidden('AbortSignal', AbortSignal);
  internal.builtin.events.EventEmitter = internal.EventEmitter;

  // For the making of the snapshot: the modules by name, each with what it exports.
  p.assign(internal.entries, {
    moduleNames() {
      const list = [];
      for (const name of p.keys(internal.builtin)) {
        const exported = [];
        for (const key of p.keys(internal.builtin[name])) {
          if (p.test(/^[A-Za-z_$][\w$]*$/, key) && !p.arrayIncludes(RESERVED, key)) p.arrayPush(exported, key);
        }
        p.arrayPush(list, [name, exported]);
      }
      return p.stringify(list);
    },
    selectModule(name) { globalThis.selectedModule = internal.builtin[name]; },
    seal() { delete globalThis.selectedModule; },
  });
  const RESERVED = ['default', 'delete', 'module', 'import', 'export', 'void', 'in', 'if', 'for', 'new'];
})
