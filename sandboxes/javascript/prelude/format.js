// `util.format`: text with placeholders, and values in a row.
(function (internal) {
  'use strict';
  const p = internal.primordials;
  const { charCodeAt, descriptor, getPrototypeOf, hasOwn, is, stringSlice } = p;
  const { inspect, kindOf } = internal;

  const numberText = (number) => (is(number, -0) ? '-0' : `${number}`);

  // Whether `String(value)` would say no more than "[object Object]".
  function hasBuiltinText(value) {
    if (kindOf(value) === 'Proxy') return true;
    if (typeof value.toString !== 'function') {
      if (typeof value[p.toPrimitive] !== 'function') return true;
      if (hasOwn(value, p.toPrimitive)) return false;
    }
    if (hasOwn(value, 'toString') || hasOwn(value, p.toPrimitive)) return false;
    let holder = value;
    do {
      holder = getPrototypeOf(holder);
    } while (holder !== null && !hasOwn(holder, 'toString') && !hasOwn(holder, p.toPrimitive));
    if (holder === null) return true;
    const own = descriptor(holder, 'constructor');
    return own !== undefined && typeof own.value === 'function' && internal.isBuiltinName(own.value.name);
  }

  function json(value) {
    try {
      return p.stringify(value);
    } catch (error) {
      if (error instanceof p.TypeError && /circular/.test(error.message)) return '[Circular]';
      throw error;
    }
  }

  function text(value, options) {
    switch (typeof value) {
      case 'number': return numberText(value);
      case 'bigint': return `${value}n`;
      case 'object':
        if (value !== null && hasBuiltinText(value)) {
          return inspect(value, { ...options, depth: 0, colors: false, compact: 3 });
        }
        return String(value);
      default: return String(value);
    }
  }

  const number = (value, read) => {
    if (typeof value === 'bigint') return `${value}n`;
    return typeof value === 'symbol' ? 'NaN' : numberText(read(value));
  };

  const placeholders = {
    __proto__: null,
    s: text,
    d: (value) => number(value, p.Number),
    i: (value) => number(value, p.parseInt),
    f: (value) => (typeof value === 'symbol' ? 'NaN' : numberText(p.parseFloat(value))),
    j: json,
    o: (value, options) => inspect(value, { ...options, showHidden: true, showProxy: true, depth: 4 }),
    O: (value, options) => inspect(value, options),
    c: () => '',
  };

  // `args` is the list of what is to be formatted.
  internal.formatList = (args, options = {}) => {
    const first = args[0];
    let next = 0;
    let result = '';
    if (typeof first === 'string') {
      if (args.length === 1) return first;
      let last = 0;
      next = 1;
      for (let i = 0; i < first.length - 1; i++) {
        if (charCodeAt(first, i) !== 37) continue;
        const letter = first[i + 1];
        if (letter === '%') {
          result += stringSlice(first, last, i + 1);
        } else if (next < args.length && placeholders[letter] !== undefined) {
          result += stringSlice(first, last, i) + placeholders[letter](args[next], options);
          next++;
        } else {
          // Node takes the letter after an unknown placeholder's sign for granted.
          if (next < args.length) i++;
          continue;
        }
        last = i + 2;
        i++;
      }
      result += last === 0 ? first : stringSlice(first, last);
      if (next < args.length) result += ' ';
    }
    for (let i = next; i < args.length; i++) {
      const value = args[i];
      if (i > next) result += ' ';
      result += typeof value === 'string' ? value : inspect(value, options);
    }
    return result;
  };
})
