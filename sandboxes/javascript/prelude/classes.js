// What kind of object something is, as the engine knows it: no property is read and no trap of a proxy runs.
(function (internal) {
  'use strict';
  const { host } = internal;
  const { classOf } = host;
  const samples = {
    Object: {}, Array: [], Error: new Error(), Number: Object(1), String: Object(''), Boolean: Object(true),
    Symbol: Object(Symbol()), BigInt: Object(1n), Date: new Date(0), RegExp: /a/, Map: new Map(), Set: new Set(),
    WeakMap: new WeakMap(), WeakSet: new WeakSet(), Promise: Promise.resolve(), Proxy: new Proxy({}, {}),
    Arguments: (function () { return arguments; })(),
    MappedArguments: new Function('a', 'return arguments')(1),
    ArrayBuffer: new ArrayBuffer(0), DataView: new DataView(new ArrayBuffer(1)),
    GeneratorFunction: function* () {}, AsyncFunction: async function () {},
    AsyncGeneratorFunction: async function* () {}, Function: function () {},
    Generator: (function* () {})(), MapIterator: new Map().keys(), SetIterator: new Set().values(),
    ArrayIterator: [][Symbol.iterator](), WeakRef: new WeakRef({}),
  };
  const names = [];
  for (const name of Object.keys(samples)) {
    const id = classOf(samples[name]);
    if (names[id] === undefined) names[id] = name;
  }
  for (const kind of ['Int8', 'Uint8', 'Uint8Clamped', 'Int16', 'Uint16', 'Int32', 'Uint32', 'Float32', 'Float64',
    'BigInt64', 'BigUint64', 'Float16']) {
    const constructor = globalThis[kind + 'Array'];
    if (constructor) names[classOf(new constructor(1))] = 'TypedArray';
  }
  // The name of the engine's class of an object or function.
  internal.kindOf = (value) => {
    const name = names[classOf(value)];
    if (name !== undefined) return name === 'MappedArguments' ? 'Arguments' : name;
    return typeof value === 'function' ? 'Function' : 'Object';
  };
})
