// `structuredClone`.
(function (internal) {
  'use strict';
  const p = internal.primordials;
  const { kindOf } = internal;

  function refuse(value) {
    const text = typeof value === 'symbol' ? p.symbolToString(value) : typeof value === 'function'
      ? p.functionToString(value) : '#<Object>';
    throw new internal.DOMException(`${text} could not be cloned.`, 'DataCloneError');
  }

  function clone(value, seen) {
    if (typeof value === 'symbol' || typeof value === 'function') refuse(value);
    if (value === null || typeof value !== 'object') return value;
    if (p.mapHas(seen, value)) return p.mapGet(seen, value);
    const keep = (copy) => {
      p.mapSet(seen, value, copy);
      return copy;
    };
    switch (kindOf(value)) {
      case 'Array': return entries(value, keep(new p.Array(value.length)), seen);
      case 'Object': case 'Arguments': case 'Generator': return entries(value, keep({}), seen);
      case 'Date': return keep(new p.Date(p.dateGetTime(value)));
      case 'RegExp': return keep(new p.RegExp(value.source, value.flags));
      case 'Map': {
        const copy = keep(new p.Map());
        p.mapForEach(value, (item, key) => p.mapSet(copy, clone(key, seen), clone(item, seen)));
        return copy;
      }
      case 'Set': {
        const copy = keep(new p.Set());
        p.setForEach(value, (item) => p.setAdd(copy, clone(item, seen)));
        return copy;
      }
      case 'ArrayBuffer': return keep(p.bufferSlice(value, 0));
      case 'TypedArray': {
        const constructor = globalThis[p.typedArrayTag(value)];
        return keep(new constructor(clone(value.buffer, seen), value.byteOffset, value.length));
      }
      case 'DataView': return keep(new p.DataView(clone(value.buffer, seen), value.byteOffset, value.byteLength));
      case 'Error': return error(value, keep, seen);
      case 'Number': return keep(p.Object(p.numberValueOf(value)));
      case 'String': return keep(p.Object(p.stringValueOf(value)));
      case 'Boolean': return keep(p.Object(p.booleanValueOf(value)));
      case 'BigInt': return keep(p.Object(p.bigintValueOf(value)));
      default: return refuse(value);
    }
  }

  function entries(value, copy, seen) {
    for (const key of p.keys(value)) {
      p.defineProperty(copy, key, { value: clone(value[key], seen), writable: true, enumerable: true, configurable: true });
    }
    return copy;
  }

  function error(value, keep, seen) {
    const names = ['EvalError', 'RangeError', 'ReferenceError', 'SyntaxError', 'TypeError', 'URIError'];
    const constructor = p.arrayIncludes(names, value.name) ? globalThis[value.name] : p.Error;
    const copy = keep(new constructor(value.message));
    p.defineProperty(copy, 'stack', { value: value.stack, writable: true, configurable: true });
    if (p.hasOwn(value, 'cause')) p.defineProperty(copy, 'cause', { value: clone(value.cause, seen), writable: true, configurable: true });
    return copy;
  }

  internal.structuredClone = function structuredClone(value) {
    if (arguments.length === 0) {
      throw internal.nodeError(p.TypeError, 'ERR_MISSING_ARGS', 'The "value" argument must be specified');
    }
    return clone(value, new p.Map());
  };
})
