// Errors with a code, as Node's modules throw them; stacks as Node prints them.
(function (internal) {
  'use strict';
  const p = internal.primordials;
  const { arrayJoin, arrayPush, stringSplit, stringStartsWith, test } = p;

  internal.nodeError = (Base, code, message) => {
    const error = new Base(message);
    p.defineProperty(error, 'code', { value: code, enumerable: true, writable: true, configurable: true });
    // Node shows the code beside the name, and forgets it afterwards.
    p.defineProperty(error, 'stack', {
      value: `${error.name} [${code}]: ${message}\n${internal.cleanFrames(error.stack)}`,
      enumerable: false, writable: true, configurable: true,
    });
    return error;
  };

  // "Received …" of a message about an argument of the wrong type.
  internal.received = (value) => {
    if (value == null) return `${value}`;
    if (typeof value === 'function') return `function ${value.name}`;
    if (typeof value === 'object') {
      if (value.constructor?.name) return `an instance of ${value.constructor.name}`;
      return internal.inspect(value, { depth: -1 });
    }
    let text = internal.inspect(value, { colors: false });
    if (text.length > 28) text = `${p.stringSlice(text, 0, 25)}...`;
    return `type ${typeof value} (${text})`;
  };

  // What stands before the program on its first line; it is that of `source.rs`.
  const HEAD_LENGTH = '(function (exports, require, module, __filename, __dirname) {'.length;

  // The calls of a stack that are the program's own.
  internal.cleanFrames = (stack) => {
    const kept = [];
    for (let line of stringSplit(String(stack), '\n')) {
      const first = p.exec(/^(.*\/main\.js:1:)(\d+)(\)?)$/, line);
      if (first !== null) line = `${first[1]}${p.max(1, first[2] - HEAD_LENGTH)}${first[3]}`;
      if (line === '' || test(/\(node:internal/, line) || stringStartsWith(line, '    at node:internal')
        || line === '    at apply (native)') continue;
      arrayPush(kept, p.stringReplace(p.stringReplace(line, '<anonymous> (', ''), / \(native\)$/, ' (<anonymous>)'));
    }
    for (let i = 0; i < kept.length; i++) {
      // A frame without a name stands without parentheses.
      if (!p.stringIncludes(kept[i], '(') && p.stringEndsWith(kept[i], ')')) kept[i] = p.stringSlice(kept[i], 0, -1);
    }
    return arrayJoin(kept, '\n');
  };
})
