// A program and its tests in two instances: each side's functions, classes and instances as the other sees them.
//
// Plain data is copied; everything else stays where it is and is known on the other side by a number. Equality is never
// asked of the other side.
(function (internal) {
  'use strict';
  const p = internal.primordials;
  const { arrayJoin, arrayPush, isArray, keys, mapGet, mapSet } = p;
  const { bytes, decode, encode, host, kindOf } = internal;

  // What this side has handed out, by number.
  const objects = [];
  const numbers = new p.Map();
  // What the other side handed out, by number, as this side uses it.
  const strangers = new p.Map();
  let own = 'p';

  const kindName = (value) => (typeof value !== 'function' ? 'instance' : internal.isClass(value) ? 'class' : 'function');
  const reference = (owner, number, kind, name) => `{"t":"f","o":"${owner}","v":${number},"k":"${kind}","n":${encode(name)}}`;
  function refer(value) {
    const stranger = p.weakGet(origins, value);
    if (stranger !== undefined) return reference(stranger.o, stranger.v, stranger.k, stranger.n);
    let number = mapGet(numbers, value);
    if (number === undefined) {
      number = arrayPush(objects, value) - 1;
      mapSet(numbers, value, number);
    }
    let name = '';
    try {
      name = typeof value === 'function' ? `${value.name}` : internal.nameOf(value);
    } catch {
      // It has no name that can be read.
    }
    return reference(own, number, kindName(value), name);
  }
  const origins = new p.WeakMap();

  function resolve(given) {
    if (given.t === 'x') return internal.opaque(given.n);
    if (given.o === own) {
      if (given.v >= objects.length) throw new p.TypeError('a reference to nothing');
      return objects[given.v];
    }
    let stranger = mapGet(strangers, given.v);
    if (stranger === undefined) {
      stranger = internal.stranger(given);
      mapSet(strangers, given.v, stranger);
      p.weakSet(origins, stranger, given);
    }
    return stranger;
  }
  // Something that neither is data nor can be used from here: it equals nothing but itself.
  internal.opaque = (name) => p.freeze({ __proto__: { [p.toStringTag]: name } });

  const list = (...parts) => `[${arrayJoin(parts, ',')}]`;
  const word = (text) => p.stringify(text);
  const read = (text) => decode(text, resolve);
  const write = (value) => encode(value, refer);

  // Says something to the other side and hears what it says to that.
  function converse(text) {
    if (host.text(host.op.converse, text, 0) < 0) throw new p.RangeError('a message that is too long');
    const parts = [];
    for (;;) {
      const n = host.call(host.op.reply, 0, 0);
      if (n <= 0) break;
      for (let at = 0; at < n; at += 8192) {
        arrayPush(parts, p.apply(p.fromCharCode, null, p.typedArraySubarray(bytes, at, p.min(n, at + 8192))));
      }
    }
    return read(arrayJoin(parts, ''));
  }

  // Makes a value that was sent what it became on the other side.
  function update(target, source) {
    if (target === source || target === null || typeof target !== 'object') return;
    const kind = kindOf(target);
    if (kind === 'Array' && isArray(source)) {
      for (let i = 0; i < source.length; i++) {
        if (i in source) target[i] = merged(target[i], source[i]);
        else delete target[i];
      }
      target.length = source.length;
    } else if (kind === 'Object') {
      for (const key of keys(target)) if (!p.hasOwn(source, key)) delete target[key];
      for (const key of keys(source)) target[key] = merged(target[key], source[key]);
    } else if (kind === 'Map') {
      const items = [];
      p.mapForEach(source, (value, key) => arrayPush(items, [key, value]));
      p.mapClear(target);
      for (const [key, value] of items) mapSet(target, key, value);
    } else if (kind === 'Set') {
      p.setClear(target);
      p.setForEach(source, (item) => p.setAdd(target, item));
    } else if (kind === 'TypedArray') {
      p.typedArraySet(target, source);
    }
  }
  function merged(before, after) {
    if (before === null || typeof before !== 'object' || after === null || typeof after !== 'object'
      || kindOf(before) !== kindOf(after) || !p.arrayIncludes(['Array', 'Object'], kindOf(before))) return after;
    update(before, after);
    return before;
  }

  // The side of the tests.
  // ---------------------------------------------------------------------------------------------------------------

  const rejected = p.Promise.reject.bind(p.Promise);

  // What the program may want of the tests before it answers: calls of functions that it was given.
  function ask(...parts) {
    let reply = converse(list(...parts));
    while (reply[0] === 'callback') {
      const [, callback, self, args] = reply;
      let answer;
      try {
        answer = list(word('value'), write(p.apply(callback, self, args)), write(args));
      } catch (error) {
        answer = list(word('throw'), write(error));
      }
      reply = converse(answer);
    }
    switch (reply[0]) {
      case 'value': return reply;
      case 'throw': throw reply[1];
      case 'promise': {
        const promise = reply[1] === 'fulfilled' ? p.resolve(reply[2])
          : reply[1] === 'rejected' ? rejected(reply[2]) : new p.Promise(() => {});
        return ['value', promise, reply[3]];
      }
      default: return [];
    }
  }

  function invoke(what, target, self, args) {
    let given;
    try {
      given = write(args);
    } catch (error) {
      throw broken(`an argument cannot be sent: ${error.message}`);
    }
    const reply = ask(word(what), write(target), self === undefined ? '{"t":"u"}' : write(self), given);
    const after = reply[2];
    if (isArray(after)) for (let i = 0; i < args.length; i++) update(args[i], after[i]);
    return reply[1];
  }

  const keyText = (key) => {
    if (typeof key === 'string') return word(key);
    const found = p.exec(/^Symbol\(Symbol\.(\w+)\)$/, p.symbolToString(key));
    return found === null || p.Symbol[found[1]] !== key ? undefined : list(word(found[1]));
  };

  function strangerOf(given) {
    const isCallable = given.k !== 'instance';
    // A function that is no arrow function can be constructed.
    const target = isCallable ? function () {} : {};
    const handler = {
      get(_, key) {
        if (key === p.Symbol.hasInstance) return (value) => isInstanceOf(value);
        const text = keyText(key);
        return text === undefined ? undefined : ask(word('get'), write(proxy), text)[1];
      },
      set(_, key, value) {
        const text = keyText(key);
        if (text !== undefined) ask(word('set'), write(proxy), text, write(value));
        return true;
      },
      has(_, key) {
        const text = keyText(key);
        return text !== undefined && ask(word('has'), write(proxy), text)[1] === true;
      },
      apply: (_, self, args) => invoke('call', proxy, self, args),
      construct: (_, args) => invoke('new', proxy, undefined, args),
    };
    if (!isCallable) {
      handler.ownKeys = () => ask(word('keys'), write(proxy))[1];
      handler.getOwnPropertyDescriptor = (_, key) => {
        if (typeof key !== 'string' || !p.arrayIncludes(handler.ownKeys(), key)) return undefined;
        return { value: handler.get(_, key), writable: true, enumerable: true, configurable: true };
      };
    }
    const isInstanceOf = (value) => {
      if (value === null || (typeof value !== 'object' && typeof value !== 'function')) return false;
      // An error was copied; its class is known by its name.
      if (kindOf(value) === 'Error') return value.constructor?.name === given.n || value.name === given.n;
      return p.weakGet(origins, value) !== undefined && ask(word('is'), write(proxy), write(value))[1] === true;
    };
    const proxy = new p.Proxy(target, handler);
    return proxy;
  }

  let verdict = 'pending';
  const broken = (message) => {
    if (verdict === 'pending') verdict = `broken ${message}`;
    return new p.Error(message);
  };
  const summary = (error) => {
    try {
      if (p.isError(error)) return p.stringSplit(p.errorToString(error), '\n')[0];
      return `thrown: ${internal.inspect(error)}`;
    } catch {
      return 'thrown: something that cannot be shown';
    }
  };
  function failed(error) {
    if (verdict !== 'pending') return;
    const isMissing = internal.missingModules !== undefined && p.setHas(internal.missingModules, error);
    verdict = isMissing ? `broken ${summary(error)}` : `failed ${summary(error)}`;
  }

  // The program's names, for a test that does not have them itself.
  const found = new p.Map();
  const scope = (candidate) => new p.Proxy({ __proto__: null }, {
    has(_, name) {
      if (typeof name !== 'string' || name in globalThis || name === 'arguments' || name === 'eval') return false;
      return name === 'gavelCandidate' || lookUp(name) !== undefined;
    },
    get(_, name) {
      if (typeof name !== 'string') return undefined;
      return lookUp(name === 'gavelCandidate' ? candidate : name);
    },
  });
  function lookUp(name) {
    // A variable may change; what a name stood for once as a function it stands for always.
    if (p.mapHas(found, name)) return mapGet(found, name);
    const value = ask(word('name'), word(name))[1];
    if (typeof value === 'function') mapSet(found, name, value);
    return value;
  }

  const report = (error) => host.write(2, `${internal.stackOf(error)}\n`);

  p.assign(internal.entries, {
    // Runs the tests, which were compiled as a function of their scope.
    examine(compiled, candidate) {
      own = 't';
      internal.stranger = strangerOf;
      const names = { assert: internal.assert, require: internal.newRequire(), module: { exports: {} }, exports: {} };
      for (const name of keys(names)) {
        p.defineProperty(globalThis, name, { value: names[name], writable: true, configurable: true, enumerable: false });
      }
      const { assert } = internal.console;
      internal.console.assert = (condition, ...args) => {
        if (!condition) {
          assert(condition, ...args);
          failed(new p.Error(args.length === 0 ? 'Assertion failed' : `Assertion failed: ${internal.formatList(args)}`));
        }
      };
      p.then(compiled(scope(candidate)), () => {
        if (verdict === 'pending') verdict = 'passed';
      }, (error) => {
        failed(error);
        if (p.isError(error)) report(error);
        else host.write(2, `${summary(error)}\n`);
      });
    },
    verdict: () => verdict,
    failTests(error) { failed(error); },
    refusedTests(error) { verdict = `broken ${summary(error)}`; },
  });

  // The side of the program.
  // ---------------------------------------------------------------------------------------------------------------

  // A function of the tests, as the program calls it.
  internal.stranger = (given) => {
    const callback = function (...args) {
      const self = this === undefined || this === globalThis ? '{"t":"u"}' : write(this);
      const reply = converse(list(word('callback'), reference(given.o, given.v, given.k, given.n), self, write(args)));
      if (reply[0] === 'throw') throw reply[1];
      if (isArray(reply[2])) for (let i = 0; i < args.length; i++) update(args[i], reply[2][i]);
      return reply[1];
    };
    p.defineProperty(callback, 'name', { value: given.n });
    return callback;
  };

  let served;
  const key = (given) => (isArray(given) ? p.Symbol[given[0]] : given);
  const requests = {
    __proto__: null,
    name: ([, name]) => answer(internal.lookUp(name) ?? internal.find(name)),
    get: ([, object, name]) => answer(object[key(name)]),
    set([, object, name, value]) {
      object[key(name)] = value;
      return answer(undefined);
    },
    has: ([, object, name]) => answer(key(name) in object),
    keys: ([, object]) => answer(keys(object)),
    is: ([, constructor, value]) => answer(value instanceof constructor),
    call: ([, run, self, args]) => settle(p.apply(run, self, args), args),
    new: ([, constructor, , args]) => settle(p.construct(constructor, args), args),
  };
  const answer = (value) => list(word('value'), write(value));
  function settle(value, args) {
    if (value === null || typeof value !== 'object' || kindOf(value) !== 'Promise') {
      return list(word('value'), write(value), after(args));
    }
    served = undefined;
    p.then(value, (result) => { served = settled('fulfilled', result, args); }, (error) => { served = settled('rejected', error, args); });
    return undefined;
  }
  const settled = (state, value, args) => {
    try {
      return list(word('promise'), word(state), write(value), after(args));
    } catch (error) {
      return list(word('throw'), write(error));
    }
  };
  const after = (args) => {
    try {
      return write(args);
    } catch {
      // It made an argument something that cannot be sent; nothing of that is seen on the other side.
      return 'null';
    }
  };

  p.assign(internal.entries, {
    // Answers a request of the tests; nothing when the answer takes time.
    serve(text) {
      try {
        const request = read(text);
        served = requests[request[0]](request);
      } catch (error) {
        try {
          served = list(word('throw'), write(error));
        } catch {
          served = list(word('throw'), write(`thrown: ${internal.nameOf(error)}`));
        }
      }
      return served === undefined ? '' : arrayJoin([served, ''], '');
    },
    // The answer that took time, if it is there now.
    served: () => (served === undefined ? '' : arrayJoin([served, ''], '')),
  });
})
