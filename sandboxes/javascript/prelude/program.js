// The program: how it starts, what becomes of what it throws, and calls of its functions. The host calls what is in
// `internal.entries`.
(function (internal) {
  'use strict';
  const p = internal.primordials;
  const { arrayJoin, stringSlice, stringSplit, test } = p;
  const { answers, host, process } = internal;
  const PATH = '/main.js';
  const STDERR = 2;
  // Why the program came to its end, when its exit code does not say it all; the numbers are those of `outcome.rs`.
  const MISSING_MODULE = 1;
  const COMPILE_ERROR = 2;

  let source = '';
  let scope;
  let main;

  // Leaves a reason where the host finds it.
  function note(kind, text) {
    const bytes = internal.utf8.encode(stringSlice(text, 0, 4096));
    p.typedArraySet(internal.bytes, bytes);
    answers[2] = kind;
    answers[3] = bytes.length;
  }

  // The line that an error came from, as Node puts it before the error.
  function place(stack) {
    const found = p.exec(/\/main\.m?js:(\d+)(?::(\d+))?/, stack);
    if (found === null) return '';
    const line = stringSplit(source, '\n')[found[1] - 1];
    if (line === undefined) return `${found[0]}\n\n`;
    const column = found[2] === undefined ? 0 : p.max(0, found[2] - 1);
    return `${PATH}:${found[1]}\n${line}\n${p.repeat(' ', p.min(column, line.length))}^\n\n`;
  }

  function describe(error) {
    try {
      if (p.isError(error) || error instanceof p.Error) {
        const text = internal.inspect(error);
        return `${place(internal.stackOf(error))}${text}\n`;
      }
      return `Uncaught:\n${internal.inspect(error)}\n`;
    } catch {
      // The program has broken what is needed to show it.
      try {
        return `Uncaught ${error}\n`;
      } catch {
        return 'Uncaught exception\n';
      }
    }
  }

  function die(error) {
    host.write(STDERR, `${describe(error)}\nNode.js ${process.version}\n`);
    process.exitCode = 1;
    let code = 1;
    try {
      code = internal.exitCode();
    } catch {
      code = 7;
    }
    noteReason(error);
    host.exit(code);
  }

  function noteReason(error) {
    if (internal.missingModules !== undefined && p.setHas(internal.missingModules, error)) {
      note(MISSING_MODULE, error.missing);
      return true;
    }
    const unloaded = p.isError(error) && p.exec(/^could not load module '(.*)'$/, `${error.message}`);
    if (unloaded) note(MISSING_MODULE, unloaded[1]);
    return !!unloaded;
  }

  // What nobody caught.
  internal.uncaught = (error, origin) => {
    if (process.listenerCount('uncaughtException') > 0) {
      try {
        process.emit('uncaughtException', error, origin);
      } catch (second) {
        die(second);
      }
      return;
    }
    die(error);
  };

  const REASON = 'This error originated either by throwing inside of an async function without a catch block, or by '
    + 'rejecting a promise which was not handled with .catch(). The promise rejected with the reason ';
  function rejected(promise, reason) {
    if (process.listenerCount('unhandledRejection') > 0) {
      process.emit('unhandledRejection', reason, promise);
      return;
    }
    if (p.isError(reason) || reason instanceof p.Error) {
      internal.uncaught(reason, 'unhandledRejection');
      return;
    }
    const error = internal.nodeError(p.Error, 'ERR_UNHANDLED_REJECTION', `${REASON}"${internal.inspect(reason)}".`);
    error.name = 'UnhandledPromiseRejection';
    internal.uncaught(error, 'unhandledRejection');
  }

  const guarded = (run) => {
    try {
      return run();
    } catch (error) {
      internal.uncaught(error, 'uncaughtException');
      return undefined;
    }
  };

  // Looks a name up among the program's own, then among what it exports, then in its class `Solution`.
  function find(name) {
    let found = lookUp(name);
    if (found === undefined && main !== undefined) {
      const { exports } = main;
      if (exports !== null && exports !== undefined) found = exports[name];
      if (found === undefined && typeof exports === 'function' && (exports.name === name || exports.name === '')) found = exports;
    }
    return found;
  }
  function lookUp(name) {
    if (scope === undefined || !test(/^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u, name)) return undefined;
    try {
      return scope(`typeof ${name} === "undefined" ? undefined : ${name}`);
    } catch (error) {
      // A reserved word, or a name that is declared and was never given a value.
      if (error instanceof p.SyntaxError || error instanceof p.Error) return undefined;
      throw error;
    }
  }
  internal.lookUp = lookUp;
  internal.find = find;

  function callable(name) {
    const found = find(name);
    if (typeof found === 'function' && !(internal.isClass(found))) return { self: undefined, run: found };
    const Solution = find('Solution');
    if (typeof Solution === 'function') {
      if (typeof Solution.prototype?.[name] === 'function') {
        const self = new Solution();
        return { self, run: self[name] };
      }
      if (typeof Solution[name] === 'function') return { self: Solution, run: Solution[name] };
    }
    return typeof found === 'function' ? { self: undefined, run: found } : undefined;
  }
  internal.isClass = (value) => internal.kindOf(value) !== 'Proxy' && test(/^class\b/, p.functionToString(value));

  let outcome;
  const UNKNOWN = 0;
  const PENDING = 1;
  const DONE = 2;
  const UNSENDABLE = 3;
  let state = UNKNOWN;

  function finished(value, args) {
    try {
      outcome = arrayJoin([`[${internal.encode(value)},${internal.encode(args)}]`, ''], '');
      state = DONE;
    } catch (error) {
      if (!(error instanceof internal.Unsendable)) throw error;
      outcome = error.message;
      state = UNSENDABLE;
    }
  }

  internal.entries = {
    // Before the program's own code runs.
    begin(text, input, args) {
      source = text;
      internal.setStdin(input);
      const given = p.parse(args);
      for (let i = 0; i < given.length; i++) process.argv[i + 2] = given[i];
      internal.startClock();
    },
    // Runs the program as Node runs a file of CommonJS.
    run(compiled) {
      main = internal.newModule(PATH);
      internal.main = process.mainModule = main;
      guarded(() => { scope = internal.runModule(compiled, main); });
      main.loaded = true;
      if (typeof scope !== 'function' || !internal.isTail(scope)) scope = undefined;
    },
    ticks: () => internal.runTicks(),
    step: () => internal.step(),
    uncaught(error) { internal.uncaught(error, 'uncaughtException'); },
    rejected: (promise, reason) => guarded(() => rejected(promise, reason)),
    // Nothing is left to do: the code to exit with, or -1 when there is something again.
    end() {
      return guarded(() => {
        process.emit('beforeExit', (process.exitCode ?? 0) | 0);
        return internal.hasWork() ? -1 : internal.exitCode();
      }) ?? 1;
    },
    // The compiler refused the program.
    refused(error) {
      host.write(STDERR, `${describe(error)}\nNode.js ${process.version}\n`);
      if (noteReason(error)) return;
      note(COMPILE_ERROR, `${p.errorToString(error)}${p.isError(error) ? `\n${internal.cleanFrames(error.stack)}` : ''}`);
    },
    // Begins a call; what becomes of it is asked for with `outcome`.
    call(name, args) {
      return guarded(() => {
        const found = callable(name);
        if (found === undefined) return UNKNOWN;
        const given = internal.decode(args);
        const result = p.apply(found.run, found.self, given);
        state = PENDING;
        if (result !== null && typeof result === 'object' && internal.kindOf(result) === 'Promise') {
          p.then(result, (value) => guarded(() => finished(value, given)));
        } else {
          finished(result, given);
        }
        return state;
      });
    },
    state: () => state,
    outcome: () => outcome,
  };

  // By this a module hands its scope over.
  p.defineProperty(globalThis, p.Symbol.for('gavel.scope'), { value: (given) => { scope = given; }, configurable: true });

  // The program's scope, and not something that the program returned itself.
  const TAIL = '(n) => { "use strict"; return eval(n); }';
  internal.isTail = (value) => p.functionToString(value) === TAIL;
})
