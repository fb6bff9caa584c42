// Deep equality as `assert.deepStrictEqual` and `assert.deepEqual` have it.
(function (internal) {
  'use strict';
  const p = internal.primordials;
  const { arrayPush, getPrototypeOf, hasOwn, is, isEnumerable, keys, mapGet, mapHas, mapSize, ownKeys, setHas, setSize } = p;
  const { kindOf } = internal;

  const symbolsOf = (value) => {
    const symbols = [];
    for (const key of ownKeys(value)) if (typeof key === 'symbol' && isEnumerable(value, key)) arrayPush(symbols, key);
    return symbols;
  };
  const isObject = (value) => value !== null && typeof value === 'object';
  const valueOf = {
    __proto__: null, Number: p.numberValueOf, String: p.stringValueOf, Boolean: p.booleanValueOf,
    BigInt: p.bigintValueOf, Symbol: p.symbolValueOf,
  };

  // A proxy counts as what it stands for.
  const shownKind = (value) => {
    const kind = kindOf(value);
    return kind !== 'Proxy' ? kind : p.isArray(value) ? 'Array' : 'Object';
  };

  function same(a, b, strict, seen) {
    if (a === b) return a !== 0 || !strict || is(a, b);
    if (strict) {
      if (typeof a !== 'object') return typeof a === 'number' && a !== a && b !== b;
      if (typeof b !== 'object' || a === null || b === null) return false;
      if (getPrototypeOf(a) !== getPrototypeOf(b)) return false;
    } else {
      if (!isObject(a)) return !isObject(b) && (a == b || (a !== a && b !== b)); // eslint-disable-line eqeqeq
      if (!isObject(b)) return false;
    }
    const kind = shownKind(a);
    if (kind !== shownKind(b)) return false;
    if (!sameInside(a, b, kind, strict)) return false;
    // Circles are equal when they close at the same place.
    for (let i = 0; i < seen.length; i += 2) {
      if (seen[i] === a || seen[i + 1] === b) return seen[i] === a && seen[i + 1] === b;
    }
    arrayPush(seen, a, b);
    const result = sameEntries(a, b, kind, strict, seen);
    seen.length -= 2;
    return result;
  }

  // What an object is beside its entries.
  function sameInside(a, b, kind, strict) {
    switch (kind) {
      case 'Array': return a.length === b.length;
      case 'Date': return is(p.dateGetTime(a), p.dateGetTime(b));
      case 'RegExp': return p.regexpToString(a) === p.regexpToString(b) && a.lastIndex === b.lastIndex;
      case 'Error': return a.message === b.message && a.name === b.name;
      case 'Number': case 'String': case 'Boolean': case 'BigInt': case 'Symbol':
        return is(valueOf[kind](a), valueOf[kind](b));
      case 'TypedArray': {
        if (a.length !== b.length || p.typedArrayTag(a) !== p.typedArrayTag(b)) return false;
        for (let i = 0; i < a.length; i++) if (!(strict ? is(a[i], b[i]) : a[i] === b[i])) return false;
        return true;
      }
      case 'Map': return mapSize(a) === mapSize(b);
      case 'Set': return setSize(a) === setSize(b);
      case 'Function': case 'WeakMap': case 'WeakSet': case 'Promise': return false;
      default: return true;
    }
  }

  function sameEntries(a, b, kind, strict, seen) {
    if (kind !== 'TypedArray') {
      const own = keys(a);
      if (own.length !== keys(b).length) return false;
      for (const key of own) {
        if (!hasOwn(b, key) || !isEnumerable(b, key) || !same(a[key], b[key], strict, seen)) return false;
      }
    }
    if (strict) {
      const symbols = symbolsOf(a);
      if (symbols.length !== symbolsOf(b).length) return false;
      for (const key of symbols) if (!isEnumerable(b, key) || !same(a[key], b[key], strict, seen)) return false;
    }
    if (kind === 'Set') return sameSets(a, b, strict, seen);
    if (kind === 'Map') return sameMaps(a, b, strict, seen);
    return true;
  }

  function sameSets(a, b, strict, seen) {
    const left = [];
    const right = [];
    p.setForEach(a, (item) => { if (!setHas(b, item)) arrayPush(left, item); });
    p.setForEach(b, (item) => { if (!setHas(a, item)) arrayPush(right, item); });
    return paired(left, right, (x, y) => (strict ? isObject(x) && isObject(y) : true) && same(x, y, strict, seen));
  }

  function sameMaps(a, b, strict, seen) {
    const left = [];
    const right = [];
    let equal = true;
    p.mapForEach(a, (value, key) => {
      if (mapHas(b, key)) equal &&= same(value, mapGet(b, key), strict, seen);
      else arrayPush(left, [key, value]);
    });
    if (!equal) return false;
    p.mapForEach(b, (value, key) => { if (!mapHas(a, key)) arrayPush(right, [key, value]); });
    return paired(left, right, (x, y) => (strict ? isObject(x[0]) && isObject(y[0]) : true)
      && same(x[0], y[0], strict, seen) && same(x[1], y[1], strict, seen));
  }

  // Whether each item on the left has one of its own on the right.
  function paired(left, right, matches) {
    if (left.length !== right.length) return false;
    for (const item of left) {
      let found = -1;
      for (let i = 0; i < right.length && found < 0; i++) if (matches(item, right[i])) found = i;
      if (found < 0) return false;
      right[found] = right[right.length - 1];
      right.length -= 1;
    }
    return true;
  }

  internal.isDeepEqual = (a, b) => same(a, b, false, []);
  internal.isDeepStrictEqual = (a, b) => same(a, b, true, []);
})
