// The module `util`.
(function (internal) {
  'use strict';
  const p = internal.primordials;
  const { defineProperty, getPrototypeOf, setPrototypeOf } = p;
  const { inspect, kindOf } = internal;
  const isObject = (value) => value !== null && (typeof value === 'object' || typeof value === 'function');
  const custom = Symbol.for('nodejs.util.promisify.custom');
  internal.promisifyCustom = custom;

  function promisify(original) {
    if (typeof original !== 'function') {
      throw internal.nodeError(p.TypeError, 'ERR_INVALID_ARG_TYPE',
        `The "original" argument must be of type function. Received ${internal.received(original)}`);
    }
    if (original[custom] !== undefined) return original[custom];
    const result = function (...args) {
      return new p.Promise((resolve, reject) => {
        p.apply(original, this, [...args, (error, value) => (error ? reject(error) : resolve(value))]);
      });
    };
    setPrototypeOf(result, getPrototypeOf(original));
    return result;
  }

  const is = (...kinds) => (value) => isObject(value) && p.arrayIncludes(kinds, kindOf(value));
  const tagged = (name) => (value) => isObject(value) && p.typedArrayTag(value) === name;
  const types = {
    isPromise: is('Promise'), isRegExp: is('RegExp'), isDate: is('Date'), isMap: is('Map'), isSet: is('Set'),
    isNativeError: is('Error'), isProxy: is('Proxy'), isWeakMap: is('WeakMap'), isWeakSet: is('WeakSet'),
    isAsyncFunction: is('AsyncFunction', 'AsyncGeneratorFunction'),
    isGeneratorFunction: is('GeneratorFunction', 'AsyncGeneratorFunction'), isGeneratorObject: is('Generator'),
    isArrayBuffer: is('ArrayBuffer'), isAnyArrayBuffer: is('ArrayBuffer'), isDataView: is('DataView'),
    isMapIterator: is('MapIterator'), isSetIterator: is('SetIterator'), isArgumentsObject: is('Arguments'),
    isTypedArray: is('TypedArray'), isArrayBufferView: is('TypedArray', 'DataView'),
    isUint8Array: tagged('Uint8Array'), isUint16Array: tagged('Uint16Array'), isUint32Array: tagged('Uint32Array'),
    isInt8Array: tagged('Int8Array'), isInt16Array: tagged('Int16Array'), isInt32Array: tagged('Int32Array'),
    isFloat32Array: tagged('Float32Array'), isFloat64Array: tagged('Float64Array'),
    isBoxedPrimitive: is('Number', 'String', 'Boolean', 'BigInt', 'Symbol'), isNumberObject: is('Number'),
    isStringObject: is('String'), isBooleanObject: is('Boolean'), isBigIntObject: is('BigInt'), isSymbolObject: is('Symbol'),
  };

  internal.util = {
    inspect, promisify, types,
    format: (...args) => internal.formatList(args),
    formatWithOptions: (options, ...args) => internal.formatList(args, options),
    isDeepStrictEqual: internal.isDeepStrictEqual,
    inherits(constructor, parent) {
      defineProperty(constructor, 'super_', { value: parent, writable: true, configurable: true });
      setPrototypeOf(constructor.prototype, parent.prototype);
    },
    callbackify: (original) => function (...args) {
      const callback = args.pop();
      p.then(p.resolve(p.apply(original, this, args)), (value) => internal.nextTick(callback, null, value),
        (error) => internal.nextTick(callback, error));
    },
    deprecate: (callback) => callback,
    debuglog: () => () => {},
    stripVTControlCharacters: (text) => p.stringReplace(`${text}`, /\u001b\[[0-9;]*[A-Za-z]/g, ''),
    toUSVString: (text) => `${text}`.toWellFormed(),
    TextEncoder: internal.TextEncoder, TextDecoder: internal.TextDecoder,
    isArray: p.isArray, isBoolean: (v) => typeof v === 'boolean', isNull: (v) => v === null,
    isNullOrUndefined: (v) => v == null, isNumber: (v) => typeof v === 'number', isString: (v) => typeof v === 'string',
    isSymbol: (v) => typeof v === 'symbol', isUndefined: (v) => v === undefined, isRegExp: types.isRegExp,
    isObject: (v) => v !== null && typeof v === 'object', isDate: types.isDate,
    isError: (v) => types.isNativeError(v) || v instanceof p.Error, isFunction: (v) => typeof v === 'function',
    isPrimitive: (v) => !isObject(v),
  };
  promisify.custom = custom;

  const { setTimeout, setImmediate } = internal.timers;
  internal.timersPromises = {
    setTimeout: (ms, value) => new p.Promise((resolve) => setTimeout(resolve, ms, value)),
    setImmediate: (value) => new p.Promise((resolve) => setImmediate(resolve, value)),
    async* setInterval(ms, value) { for (;;) { await new p.Promise((resolve) => setTimeout(resolve, ms)); yield value; } },
    scheduler: { wait: (ms) => new p.Promise((resolve) => setTimeout(resolve, ms)), yield: () => new p.Promise((resolve) => setImmediate(resolve)) },
  };
  defineProperty(setTimeout, custom, { value: internal.timersPromises.setTimeout });
  defineProperty(setImmediate, custom, { value: internal.timersPromises.setImmediate });
})
