// The builtins as they are before the program can change any of them, and the way to the host.
//
// Nothing in the prelude looks up a method of a builtin after the program has begun, except where Node does.
(function (internal, raw, transfer) {
  'use strict';

  const uncurry = Function.prototype.bind.bind(Function.prototype.call);
  const getter = (object, name) => uncurry(Object.getOwnPropertyDescriptor(object, name).get);
  const TypedArray = Object.getPrototypeOf(Uint8Array);

  const primordials = {
    uncurry,
    Array, ArrayBuffer, BigInt, Boolean, DataView, Date, Error, Function, Map, Number, Object, Promise, Proxy,
    RangeError, RegExp, Set, String, Symbol, SyntaxError, TypeError, Uint8Array, WeakMap, TypedArray,
    apply: Reflect.apply, construct: Reflect.construct, ownKeys: Reflect.ownKeys,
    arrayJoin: uncurry(Array.prototype.join), arraySlice: uncurry(Array.prototype.slice),
    arraySort: uncurry(Array.prototype.sort), arraySplice: uncurry(Array.prototype.splice),
    arrayPush: uncurry(Array.prototype.push), arrayShift: uncurry(Array.prototype.shift),
    arrayIndexOf: uncurry(Array.prototype.indexOf), arrayIncludes: uncurry(Array.prototype.includes),
    isArray: Array.isArray,
    bigintToString: uncurry(BigInt.prototype.toString), bigintValueOf: uncurry(BigInt.prototype.valueOf),
    booleanValueOf: uncurry(Boolean.prototype.valueOf),
    bufferLength: getter(ArrayBuffer.prototype, 'byteLength'), bufferSlice: uncurry(ArrayBuffer.prototype.slice),
    dateGetTime: uncurry(Date.prototype.getTime), dateToISOString: uncurry(Date.prototype.toISOString),
    dateToString: uncurry(Date.prototype.toString), dateNow: Date.now,
    errorToString: uncurry(Error.prototype.toString), isError: Error.isError,
    functionToString: uncurry(Function.prototype.toString), bind: uncurry(Function.prototype.bind),
    hasInstance: uncurry(Function.prototype[Symbol.hasInstance]),
    parse: JSON.parse, stringify: JSON.stringify,
    mapGet: uncurry(Map.prototype.get), mapSet: uncurry(Map.prototype.set), mapHas: uncurry(Map.prototype.has),
    mapDelete: uncurry(Map.prototype.delete), mapClear: uncurry(Map.prototype.clear),
    mapSize: getter(Map.prototype, 'size'), mapForEach: uncurry(Map.prototype.forEach),
    floor: Math.floor, max: Math.max, min: Math.min, round: Math.round, sqrt: Math.sqrt, trunc: Math.trunc,
    isFinite: Number.isFinite, isInteger: Number.isInteger, isSafeInteger: Number.isSafeInteger,
    parseFloat: Number.parseFloat, parseInt: Number.parseInt,
    numberToString: uncurry(Number.prototype.toString), numberToFixed: uncurry(Number.prototype.toFixed),
    numberValueOf: uncurry(Number.prototype.valueOf),
    assign: Object.assign, create: Object.create, defineProperty: Object.defineProperty,
    entries: Object.entries, freeze: Object.freeze, keys: Object.keys, is: Object.is,
    descriptor: Object.getOwnPropertyDescriptor, getPrototypeOf: Object.getPrototypeOf,
    setPrototypeOf: Object.setPrototypeOf,
    hasOwn: uncurry(Object.prototype.hasOwnProperty),
    isEnumerable: uncurry(Object.prototype.propertyIsEnumerable),
    objectPrototype: Object.prototype, arrayPrototype: Array.prototype, mapPrototype: Map.prototype,
    setPrototype: Set.prototype,
    then: uncurry(Promise.prototype.then), resolve: Promise.resolve.bind(Promise),
    test: uncurry(RegExp.prototype.test), exec: uncurry(RegExp.prototype.exec),
    regexpToString: uncurry(RegExp.prototype.toString),
    setHas: uncurry(Set.prototype.has), setAdd: uncurry(Set.prototype.add), setDelete: uncurry(Set.prototype.delete),
    setClear: uncurry(Set.prototype.clear), setSize: getter(Set.prototype, 'size'),
    setForEach: uncurry(Set.prototype.forEach),
    fromCharCode: String.fromCharCode,
    charCodeAt: uncurry(String.prototype.charCodeAt), codePointAt: uncurry(String.prototype.codePointAt),
    stringEndsWith: uncurry(String.prototype.endsWith), stringIncludes: uncurry(String.prototype.includes),
    stringIndexOf: uncurry(String.prototype.indexOf), stringLastIndexOf: uncurry(String.prototype.lastIndexOf),
    padEnd: uncurry(String.prototype.padEnd), padStart: uncurry(String.prototype.padStart),
    repeat: uncurry(String.prototype.repeat), stringReplace: uncurry(String.prototype.replace),
    stringSlice: uncurry(String.prototype.slice), stringSplit: uncurry(String.prototype.split),
    stringStartsWith: uncurry(String.prototype.startsWith), trim: uncurry(String.prototype.trim),
    toLowerCase: uncurry(String.prototype.toLowerCase), stringValueOf: uncurry(String.prototype.valueOf),
    isWellFormed: uncurry(String.prototype.isWellFormed),
    symbolToString: uncurry(Symbol.prototype.toString), symbolValueOf: uncurry(Symbol.prototype.valueOf),
    typedArrayTag: getter(TypedArray.prototype, Symbol.toStringTag),
    typedArrayLength: getter(TypedArray.prototype, 'length'),
    typedArraySet: uncurry(TypedArray.prototype.set), typedArraySubarray: uncurry(TypedArray.prototype.subarray),
    typedArraySlice: uncurry(TypedArray.prototype.slice),
    weakGet: uncurry(WeakMap.prototype.get), weakSet: uncurry(WeakMap.prototype.set),
    iterator: Symbol.iterator, asyncIterator: Symbol.asyncIterator, toStringTag: Symbol.toStringTag,
    toPrimitive: Symbol.toPrimitive,
    escape, unescape, encodeURIComponent, decodeURIComponent,
  };
  internal.primordials = primordials;

  // The host answers in the first numbers of the transfer buffer; bytes lie behind them.
  const answers = new Int32Array(transfer, 0, 4);
  const { arrayJoin } = primordials;
  internal.bytes = new Uint8Array(transfer, 16);
  internal.answers = answers;

  // What the host can be asked for. The numbers are those of `host.rs`.
  const op = {
    write: 1, exit: 2, classOf: 3, writeBytes: 4, sleep: 5, converse: 6, reply: 7,
    readFile: 8, writeFile: 9, appendFile: 10, remove: 11, makeFolder: 12, list: 13, stat: 14, promiseState: 15, promiseResult: 16,
  };

  // A host function comes back by failing with nothing, because the host can allocate no value to return.
  // Anything that is an object was thrown before the host was reached: the stack or the memory is exhausted.
  const call = (code, first, second) => {
    try {
      raw(code, first, second);
    } catch (nothing) {
      if (typeof nothing === 'object') throw nothing;
    }
    return answers[0];
  };
  // The host reads only flat strings, which is what a join makes.
  const flat = (text) => arrayJoin([text, ''], '');
  const ROPE = -100;

  internal.host = {
    op,
    call,
    text(code, text, extra) {
      const answer = call(code, text, extra);
      return answer === ROPE ? call(code, flat(text), extra) : answer;
    },
    write(fd, text) {
      if (call(op.write, fd, text) === ROPE) call(op.write, fd, flat(text));
    },
    exit(code) {
      call(op.exit, code);
    },
    sleep(ms) {
      call(op.sleep, ms);
    },
    classOf: (value) => call(op.classOf, value),
    promiseState: (value) => call(op.promiseState, value),
    // The only question that the host answers with a value: it hands on the one that the promise has.
    promiseResult: (value) => raw(op.promiseResult, value, 0),
  };
})
