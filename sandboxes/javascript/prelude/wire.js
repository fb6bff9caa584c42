// Values as text for the host and for the instance on the other side: JSON, in which everything that JSON lacks is an
// object with a field `t`. The host reads it without trust, so that a program that gets at this code can do no more
// than say what its value is.
(function (internal) {
  'use strict';
  const p = internal.primordials;
  const { arrayJoin, arrayPush, getPrototypeOf, hasOwn, is, isArray, stringify } = p;
  const { kindOf } = internal;
  // Levels of nesting; the host has the same limit.
  const DEPTH_MAX = 1000;

  class Unsendable extends p.Error {}

  const quoteText = (text) => {
    if (p.isWellFormed(text)) return stringify(text);
    const units = [];
    for (let i = 0; i < text.length; i++) arrayPush(units, p.charCodeAt(text, i));
    return `{"t":"s","v":[${arrayJoin(units, ',')}]}`;
  };
  const opaque = (name) => `{"t":"x","n":${quoteText(`${name}`)}}`;

  function number(value) {
    if (value === 0) return is(value, -0) ? '{"t":"d","v":"-0"}' : '0';
    return value - value === 0 ? `${value}` : `{"t":"d","v":"${value}"}`;
  }

  // What an object calls itself. It is for people to read, and nothing depends on it.
  function nameOf(value) {
    const kind = kindOf(value);
    if (typeof value === 'function') return 'function';
    try {
      const name = value.constructor?.name;
      return typeof name === 'string' && name !== '' ? name : kind;
    } catch {
      return kind;
    }
  }

  // `refer` makes a reference of what cannot be sent, or is undefined where there is nobody who could use one.
  function encode(value, refer, depth, seen) {
    switch (typeof value) {
      case 'number': return number(value);
      case 'string': return quoteText(value);
      case 'boolean': return value ? 'true' : 'false';
      case 'undefined': return '{"t":"u"}';
      case 'bigint': return `{"t":"n","v":"${value}"}`;
      case 'symbol': return opaque('symbol');
      default:
    }
    if (value === null) return 'null';
    if (depth >= DEPTH_MAX) throw new Unsendable(`nested deeper than ${DEPTH_MAX} levels`);
    if (typeof value === 'function') return refer === undefined ? opaque('function') : refer(value);
    const kind = kindOf(value);
    const write = writers[kind];
    const prototype = kind === 'Proxy' ? undefined : getPrototypeOf(value);
    if (write === undefined || !write.isExact(prototype)) {
      return refer === undefined ? opaque(nameOf(value)) : refer(value);
    }
    if (p.setHas(seen, value)) throw new Unsendable('it contains itself');
    p.setAdd(seen, value);
    const text = write.write(value, refer, depth + 1, seen);
    p.setDelete(seen, value);
    return text;
  }

  const always = () => true;
  const exactly = (expected) => (prototype) => prototype === expected;
  const writers = {
    __proto__: null,
    Array: {
      isExact: exactly(p.arrayPrototype),
      write(value, refer, depth, seen) {
        const { length } = value;
        const parts = [];
        for (let i = 0; i < length; i++) {
          const item = value[i];
          parts[i] = typeof item === 'number' && item !== 0 && item - item === 0 ? item
            : item === undefined && !hasOwn(value, i) ? '{"t":"h"}' : encode(item, refer, depth, seen);
        }
        return `[${arrayJoin(parts, ',')}]`;
      },
    },
    Object: {
      isExact: (prototype) => prototype === p.objectPrototype || prototype === null,
      write(value, refer, depth, seen) {
        const parts = [];
        const own = p.keys(value);
        for (let i = 0; i < own.length; i++) {
          arrayPush(parts, quoteText(own[i]), encode(value[own[i]], refer, depth, seen));
        }
        return `{"t":"o","v":[${arrayJoin(parts, ',')}]}`;
      },
    },
    Map: {
      isExact: exactly(p.mapPrototype),
      write(value, refer, depth, seen) {
        const parts = [];
        p.mapForEach(value, (item, key) => {
          arrayPush(parts, encode(key, refer, depth, seen), encode(item, refer, depth, seen));
        });
        return `{"t":"m","v":[${arrayJoin(parts, ',')}]}`;
      },
    },
    Set: {
      isExact: exactly(p.setPrototype),
      write(value, refer, depth, seen) {
        const parts = [];
        p.setForEach(value, (item) => arrayPush(parts, encode(item, refer, depth, seen)));
        return `{"t":"S","v":[${arrayJoin(parts, ',')}]}`;
      },
    },
    TypedArray: {
      isExact: always,
      write(value) {
        const parts = [];
        const length = p.typedArrayLength(value);
        for (let i = 0; i < length; i++) {
          parts[i] = typeof value[i] === 'bigint' ? `{"t":"n","v":"${value[i]}"}` : number(value[i]);
        }
        return `{"t":"b","k":"${p.typedArrayTag(value)}","v":[${arrayJoin(parts, ',')}]}`;
      },
    },
    Date: { isExact: always, write: (value) => `{"t":"D","v":${number(p.dateGetTime(value))}}` },
    RegExp: {
      isExact: always,
      write: (value) => `{"t":"r","v":${quoteText(`${value.source}`)},"f":${quoteText(`${value.flags}`)}}`,
    },
    Error: {
      isExact: always,
      write(value, refer, depth, seen) {
        const text = (name, fallback) => {
          const own = value[name];
          return quoteText(typeof own === 'string' ? own : fallback);
        };
        const parts = [];
        const own = p.keys(value);
        for (let i = 0; i < own.length; i++) {
          arrayPush(parts, quoteText(own[i]), encode(value[own[i]], refer, depth, seen));
        }
        return `{"t":"e","k":${quoteText(nameOf(value))},"n":${text('name', 'Error')},"m":${text('message', '')},`
          + `"v":[${arrayJoin(parts, ',')}]}`;
      },
    },
  };

  internal.encode = (value, refer) => encode(value, refer, 0, new p.Set());
  internal.Unsendable = Unsendable;
  internal.nameOf = nameOf;

  // Reads what the host wrote. `resolve` turns references into functions and objects.
  const DATES = { NaN, Infinity, '-Infinity': -Infinity, '-0': -0 };
  function decode(value, resolve) {
    if (value === null || typeof value !== 'object') return value;
    if (isArray(value)) {
      for (let i = 0; i < value.length; i++) {
        const item = value[i];
        if (item === null || typeof item !== 'object') continue;
        if (item.t === 'h') delete value[i];
        else value[i] = decode(item, resolve);
      }
      return value;
    }
    const { t, v } = value;
    switch (t) {
      case 'u': return undefined;
      case 'd': return DATES[v];
      case 'n': return p.BigInt(v);
      case 's': {
        const parts = [];
        for (let i = 0; i < v.length; i++) arrayPush(parts, p.fromCharCode(v[i]));
        return arrayJoin(parts, '');
      }
      case 'o': return object(v, resolve, {});
      case 'm': {
        const map = new p.Map();
        for (let i = 0; i < v.length; i += 2) p.mapSet(map, decode(v[i], resolve), decode(v[i + 1], resolve));
        return map;
      }
      case 'S': {
        const set = new p.Set();
        for (let i = 0; i < v.length; i++) p.setAdd(set, decode(v[i], resolve));
        return set;
      }
      case 'b': return p.construct(internal.typedArrays[value.k] ?? p.Uint8Array, [decode(v, resolve)]);
      case 'D': return new p.Date(decode(v, resolve));
      case 'r': return new p.RegExp(v, value.f);
      case 'e': return object(v, resolve, error(value));
      default: return resolve(value);
    }
  }
  internal.typedArrays = { __proto__: null };
  for (const kind of ['Int8', 'Uint8', 'Uint8Clamped', 'Int16', 'Uint16', 'Int32', 'Uint32', 'Float32', 'Float64', 'BigInt64', 'BigUint64']) {
    internal.typedArrays[`${kind}Array`] = globalThis[`${kind}Array`];
  }

  function object(v, resolve, result) {
    for (let i = 0; i < v.length; i += 2) {
      p.defineProperty(result, decode(v[i], resolve), {
        value: decode(v[i + 1], resolve), writable: true, enumerable: true, configurable: true,
      });
    }
    return result;
  }

  const errors = { __proto__: null, Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };
  const classes = { __proto__: null };
  // An error of a class of the program's own becomes one of a class of that name.
  function error({ k, n, m }) {
    let constructor = errors[k];
    if (constructor === undefined) {
      constructor = classes[k] ??= { [k]: class extends p.Error {} }[k];
    }
    const result = new constructor(m);
    if (result.name !== n) p.defineProperty(result, 'name', { value: n, writable: true, configurable: true });
    return result;
  }

  const refuse = () => {
    throw new p.TypeError('a reference where there can be none');
  };
  internal.decode = (text, resolve = refuse) => decode(p.parse(text), resolve);
})
