// The module `assert`.
(function (internal) {
  'use strict';
  const p = internal.primordials;
  const { arrayPush, is } = p;
  const { inspect, isDeepEqual, isDeepStrictEqual } = internal;

  class AssertionError extends Error {
    constructor(options) {
      super(options.message);
      this.generatedMessage = !!options.generated;
      this.code = 'ERR_ASSERTION';
      this.actual = options.actual;
      this.expected = options.expected;
      this.operator = options.operator;
    }
    toString() { return `${this.name} [${this.code}]: ${this.message}`; }
  }
  p.defineProperty(AssertionError.prototype, 'name', { value: 'AssertionError', writable: true, configurable: true });

  const show = (value) => inspect(value, { compact: false, depth: 1000, maxArrayLength: Infinity, sorted: true, breakLength: Infinity });
  const short = (value) => inspect(value);

  function fail(message, generated, operator, actual, expected) {
    if (message instanceof p.Error) throw message;
    throw new AssertionError({
      message: message === undefined ? generated() : message, generated: message === undefined, operator, actual, expected,
    });
  }

  const titles = {
    strictEqual: 'Expected values to be strictly equal:', deepStrictEqual: 'Expected values to be strictly deep-equal:',
    equal: 'Expected values to be loosely equal:', deepEqual: 'Expected values to be loosely deep-equal:',
    notStrictEqual: 'Expected "actual" to be strictly unequal to:',
    notDeepStrictEqual: 'Expected "actual" not to be strictly deep-equal to:',
    notEqual: 'Expected "actual" to be loosely unequal to:', notDeepEqual: 'Expected "actual" not to be loosely deep-equal to:',
  };
  function difference(operator, actual, expected) {
    if (operator === 'equal') return `${short(actual)} == ${short(expected)}`;
    if (operator === 'notEqual') return `${short(actual)} != ${short(expected)}`;
    if (p.stringStartsWith(operator, 'not')) {
      const text = show(expected);
      return p.stringIncludes(text, '\n') ? `${titles[operator]}\n\n${text}\n` : `${titles[operator]} ${text}`;
    }
    const isSimple = (value) => value === null || (typeof value !== 'object' && typeof value !== 'function');
    if (isSimple(actual) && isSimple(expected)) return `${titles[operator]}\n\n${short(actual)} !== ${short(expected)}\n`;
    const left = p.stringSplit(show(actual), '\n');
    const right = p.stringSplit(show(expected), '\n');
    const lines = [`${titles[operator]}`, '+ actual - expected', ''];
    const n = p.max(left.length, right.length);
    for (let i = 0; i < n; i++) {
      if (left[i] === right[i]) {
        arrayPush(lines, `  ${left[i]}`);
        continue;
      }
      if (left[i] !== undefined) arrayPush(lines, `+ ${left[i]}`);
      if (right[i] !== undefined) arrayPush(lines, `- ${right[i]}`);
    }
    return p.arrayJoin(lines, '\n');
  }

  function assert(...args) { truthy(args, 'assert'); }
  const ok = (...args) => truthy(args, 'assert.ok');
  function truthy(args, name) {
    if (args.length === 0) fail('No value argument passed to `assert.ok()`', undefined, '==', undefined, true);
    if (!args[0]) {
      fail(args[1], () => `The expression evaluated to a falsy value:\n\n  ${name}(${short(args[0])})\n`, '==', args[0], true);
    }
  }

  const compare = (operator, isGood) => (actual, expected, message) => {
    if (!isGood(actual, expected)) {
      fail(message, () => difference(operator, actual, expected), operator, actual, expected);
    }
  };

  // Whether an error is the one that was expected: by class, pattern, test function or properties.
  function matches(error, expected, message) {
    if (expected === undefined) return;
    if (typeof expected === 'function') {
      if (expected.prototype !== undefined && error instanceof expected) return;
      if (expected === p.Error || p.hasInstance(p.Function, expected) && expected.prototype instanceof p.Error) throw error;
      if (expected.prototype !== undefined && p.test(/^class\b/, p.functionToString(expected))) throw error;
      if (p.apply(expected, {}, [error]) === true) return;
      fail(message, () => `The ${expected.name ? `"${expected.name}" ` : ''}validation function is expected to return "true". `
        + `Received ${short(false)}\n\nCaught error:\n\n${internal.stackOf(error)}`, 'throws', error, expected);
    }
    if (internal.kindOf(expected) === 'RegExp') {
      if (p.test(expected, String(error))) return;
      fail(message, () => `The input did not match the regular expression ${short(expected)}. Input:\n\n${short(String(error))}\n`,
        'throws', error, expected);
    }
    for (const key of p.keys(expected).concat(expected instanceof p.Error ? ['name', 'message'] : [])) {
      const isMatch = internal.kindOf(error) === 'Error' || error !== null && typeof error === 'object'
        ? (typeof error[key] === 'string' && expected[key] !== null && typeof expected[key] === 'object'
          && internal.kindOf(expected[key]) === 'RegExp' ? p.test(expected[key], error[key])
          : isDeepStrictEqual(error[key], expected[key])) : false;
      if (!isMatch) fail(message, () => difference('deepStrictEqual', error, expected), 'throws', error, expected);
    }
  }
  const missing = (name, expected, message) => {
    const kind = name === 'rejects' ? 'rejection' : 'exception';
    const which = typeof expected === 'function' && expected.name ? ` (${expected.name})` : '';
    fail(undefined, () => `Missing expected ${kind}${which}${message ? `: ${message}` : '.'}`, name, undefined, expected);
  };
  const needFunction = (run, name = 'fn') => {
    if (typeof run === 'function') return;
    throw internal.nodeError(p.TypeError, 'ERR_INVALID_ARG_TYPE',
      `The "${name}" argument must be of type function. Received ${internal.received(run)}`);
  };

  const methods = {
    ok,
    equal: compare('equal', (a, b) => a == b || (a !== a && b !== b)), // eslint-disable-line eqeqeq
    notEqual: compare('notEqual', (a, b) => a != b && (a === a || b === b)), // eslint-disable-line eqeqeq
    strictEqual: compare('strictEqual', is),
    notStrictEqual: compare('notStrictEqual', (a, b) => !is(a, b)),
    deepEqual: compare('deepEqual', isDeepEqual),
    notDeepEqual: compare('notDeepEqual', (a, b) => !isDeepEqual(a, b)),
    deepStrictEqual: compare('deepStrictEqual', isDeepStrictEqual),
    notDeepStrictEqual: compare('notDeepStrictEqual', (a, b) => !isDeepStrictEqual(a, b)),
    throws(run, expected, message) {
      needFunction(run);
      if (typeof expected === 'string') [message, expected] = [expected, undefined];
      try {
        run();
      } catch (error) {
        matches(error, expected, message);
        return;
      }
      missing('throws', expected, message);
    },
    doesNotThrow(run, expected, message) {
      needFunction(run);
      if (typeof expected === 'string') [message, expected] = [expected, undefined];
      try {
        run();
      } catch (error) {
        fail(undefined, () => `Got unwanted exception${message ? `: ${message}` : '.'}\nActual message: "${error?.message}"`,
          'doesNotThrow', error, expected);
      }
    },
    async rejects(promise, expected, message) {
      if (typeof expected === 'string') [message, expected] = [expected, undefined];
      try {
        await (typeof promise === 'function' ? promise() : promise);
      } catch (error) {
        matches(error, expected, message);
        return;
      }
      missing('rejects', expected, message);
    },
    async doesNotReject(promise, message) {
      try {
        await (typeof promise === 'function' ? promise() : promise);
      } catch (error) {
        fail(undefined, () => `Got unwanted rejection${message ? `: ${message}` : '.'}\nActual message: "${error?.message}"`,
          'doesNotReject', error, undefined);
      }
    },
    match(text, pattern, message) {
      if (typeof text !== 'string' || !p.test(pattern, text)) {
        fail(message, () => `The input did not match the regular expression ${short(pattern)}. Input:\n\n${short(text)}\n`,
          'match', text, pattern);
      }
    },
    doesNotMatch(text, pattern, message) {
      if (typeof text === 'string' && p.test(pattern, text)) {
        fail(message, () => `The input was expected to not match the regular expression ${short(pattern)}. Input:\n\n`
          + `${short(text)}\n`, 'doesNotMatch', text, pattern);
      }
    },
    fail(message) { fail(message, () => 'Failed', 'fail', undefined, undefined); },
    ifError(value) { if (value != null) throw value instanceof p.Error ? value : new AssertionError({ message: `ifError got unwanted exception: ${short(value)}` }); },
  };
  const strict = (...args) => truthy(args, 'assert');
  p.assign(assert, methods, { AssertionError });
  p.assign(strict, methods, {
    AssertionError, equal: methods.strictEqual, notEqual: methods.notStrictEqual, deepEqual: methods.deepStrictEqual,
    notDeepEqual: methods.notDeepStrictEqual,
  });
  assert.strict = strict;
  strict.strict = strict;
  internal.assert = assert;
})
