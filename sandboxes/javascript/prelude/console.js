// `console`.
(function (internal) {
  'use strict';
  const p = internal.primordials;
  const { arrayJoin, arrayPush, arraySlice, hasOwn, isArray, keys, mapGet, mapHas, mapSet, mapDelete } = p;
  const { formatList, host, inspect, kindOf } = internal;
  const STDOUT = 1;
  const STDERR = 2;

  class Console {
    #out;
    #error;
    #indent = '';
    #counts = new p.Map();
    #timers = new p.Map();

    constructor(out, error) {
      // As in Node: two streams, or one object that holds them.
      if (out !== null && typeof out === 'object' && typeof out.write !== 'function') ({ stdout: out, stderr: error } = out);
      this.#out = typeof out === 'object' && out !== null ? (text) => out.write(text) : (text) => host.write(STDOUT, text);
      const second = error ?? out;
      this.#error = typeof second === 'object' && second !== null
        ? (text) => second.write(text) : (text) => host.write(STDERR, text);
      for (const name of methods) this[name] = p.bind(this[name], this);
    }

    #line(write, args) {
      let text = args.length === 1 && typeof args[0] === 'string' ? args[0] : formatList(args);
      if (this.#indent !== '') text = this.#indent + arrayJoin(p.stringSplit(text, '\n'), `\n${this.#indent}`);
      write(arrayJoin([text, ''], '\n'));
    }

    log(...args) { this.#line(this.#out, args); }
    info(...args) { this.#line(this.#out, args); }
    debug(...args) { this.#line(this.#out, args); }
    error(...args) { this.#line(this.#error, args); }
    warn(...args) { this.#line(this.#error, args); }

    dir(value, options) { this.#line(this.#out, [inspect(value, { customInspect: false, ...options })]); }
    dirxml(...args) { this.#line(this.#out, args); }

    assert(condition, ...args) {
      if (condition) return;
      args[0] = `Assertion failed${args.length === 0 ? '' : `: ${args[0]}`}`;
      this.#line(this.#error, args);
    }

    trace(...args) {
      const error = new p.Error(formatList(args));
      error.name = 'Trace';
      this.#line(this.#error, [internal.stackOf(error)]);
    }

    group(...args) {
      if (args.length > 0) this.#line(this.#out, args);
      this.#indent += '  ';
    }
    groupCollapsed(...args) { this.group(...args); }
    groupEnd() { this.#indent = p.stringSlice(this.#indent, 0, -2); }

    count(label = 'default') {
      label = `${label}`;
      const n = (mapGet(this.#counts, label) ?? 0) + 1;
      mapSet(this.#counts, label, n);
      this.#line(this.#out, [`${label}: ${n}`]);
    }
    countReset(label = 'default') { mapDelete(this.#counts, `${label}`); }

    time(label = 'default') {
      if (mapHas(this.#timers, `${label}`)) {
        this.#line(this.#error, [`(node:1) Warning: Label '${label}' already exists for console.time()`]);
        return;
      }
      mapSet(this.#timers, `${label}`, internal.now());
    }
    timeLog(label = 'default', ...args) { this.#elapsed(label, args); }
    timeEnd(label = 'default') { if (this.#elapsed(label, [])) mapDelete(this.#timers, `${label}`); }
    timeStamp() {}
    profile() {}
    profileEnd() {}

    #elapsed(label, args) {
      const start = mapGet(this.#timers, `${label}`);
      if (start === undefined) {
        this.#line(this.#error, [`(node:1) Warning: No such label '${label}' for console.timeEnd()`]);
        return false;
      }
      const ms = internal.now() - start;
      const text = ms >= 1000 ? `${p.numberToFixed(ms / 1000, 3)}s` : `${p.Number(p.numberToFixed(ms, 3))}ms`;
      this.#line(this.#out, [`${label}: ${text}`, ...args]);
      return true;
    }

    table(data, columns) {
      if (data === null || typeof data !== 'object') {
        this.#line(this.#out, [data]);
        return;
      }
      this.#line(this.#out, [table(data, columns)]);
    }
  }

  const methods = p.ownKeys(Console.prototype);
  p.arraySplice(methods, p.arrayIndexOf(methods, 'constructor'), 1);

  const cell = (value) => inspect(value, {
    depth: value !== null && typeof value === 'object' && !isArray(value) && keys(value).length > 2 ? -1 : 0,
    maxArrayLength: 3, breakLength: Infinity,
  });

  // Rows of a table: what is shown for each entry of the data.
  function table(data, columns) {
    const kind = kindOf(data);
    const index = [];
    const rows = [];
    let indexName = '(index)';
    if (kind === 'Map') {
      indexName = '(iteration index)';
      const names = [];
      const values = [];
      p.mapForEach(data, (value, key) => {
        arrayPush(names, cell(key));
        arrayPush(values, cell(value));
        arrayPush(index, `${index.length}`);
      });
      return draw([indexName, 'Key', 'Values'], [index, names, values]);
    }
    if (kind === 'Set') {
      indexName = '(iteration index)';
      p.setForEach(data, (value) => {
        arrayPush(index, `${index.length}`);
        arrayPush(rows, value);
      });
    } else {
      for (const key of keys(data)) {
        arrayPush(index, key);
        arrayPush(rows, data[key]);
      }
    }
    const names = columns === undefined ? [] : arraySlice(columns);
    const cells = { __proto__: null };
    for (const name of names) cells[name] = [];
    const values = [];
    let hasValues = false;
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i];
      if (row === null || (typeof row !== 'object' && typeof row !== 'function') || (kind === 'Set')) {
        values[i] = cell(row);
        hasValues = true;
        continue;
      }
      for (const key of columns ?? keys(row)) {
        if (cells[key] === undefined) {
          cells[key] = [];
          arrayPush(names, key);
        }
        if (hasOwn(row, key)) cells[key][i] = cell(row[key]);
      }
    }
    const lists = [index];
    for (const name of names) arrayPush(lists, cells[name]);
    const head = [indexName, ...names];
    if (hasValues) {
      arrayPush(head, 'Values');
      arrayPush(lists, values);
    }
    return draw(head, lists);
  }

  // How many cells of a terminal a text takes: wide characters take two, combining marks none.
  function width(text) {
    let n = 0;
    for (const character of text) {
      const code = p.codePointAt(character, 0);
      if (code < 0x300) n += code >= 32 && (code < 127 || code > 159) ? 1 : 0;
      else if ((code <= 0x36f) || (code >= 0x200b && code <= 0x200f) || (code >= 0xfe00 && code <= 0xfe0f)) n += 0;
      else n += (code >= 0x1100 && code <= 0x115f) || (code >= 0x2e80 && code <= 0xa4cf) || (code >= 0xac00 && code <= 0xd7a3)
        || (code >= 0xf900 && code <= 0xfaff) || (code >= 0xfe30 && code <= 0xfe6f) || (code >= 0xff00 && code <= 0xff60)
        || (code >= 0xffe0 && code <= 0xffe6) || (code >= 0x1f300 && code <= 0x1faff) ? 2 : 1;
    }
    return n;
  }

  function draw(head, lists) {
    const n = lists[0].length;
    const widths = [];
    for (let column = 0; column < head.length; column++) {
      let widest = width(head[column]);
      for (let i = 0; i < n; i++) widest = p.max(widest, width(lists[column][i] ?? ''));
      arrayPush(widths, widest + 2);
    }
    const rule = (left, middle, right) => {
      const parts = [];
      for (const size of widths) arrayPush(parts, p.repeat('─', size));
      return left + arrayJoin(parts, middle) + right;
    };
    const line = (texts) => {
      const parts = [];
      for (let column = 0; column < widths.length; column++) {
        const text = texts[column] ?? '';
        arrayPush(parts, ` ${text}${p.repeat(' ', widths[column] - width(text) - 1)}`);
      }
      return `│${arrayJoin(parts, '│')}│`;
    };
    const lines = [rule('┌', '┬', '┐'), line(head), rule('├', '┼', '┤')];
    for (let i = 0; i < n; i++) {
      const texts = [];
      for (const list of lists) arrayPush(texts, list[i]);
      arrayPush(lines, line(texts));
    }
    arrayPush(lines, rule('└', '┴', '┘'));
    return arrayJoin(lines, '\n');
  }

  internal.Console = Console;
  internal.console = new Console();
  p.setPrototypeOf(internal.console, {});
  for (const name of methods) {
    p.defineProperty(internal.console, name, { value: internal.console[name], enumerable: true, writable: true, configurable: true });
  }
  internal.console.Console = Console;
})
