// Values as text: `util.inspect` with Node's layout.
(function (internal) {
  'use strict';
  const p = internal.primordials;
  const { arrayIncludes, arrayIndexOf, arrayJoin, arrayPush, arraySlice, arraySort, arraySplice, descriptor } = p;
  const { getPrototypeOf, hasOwn, is, isArray, isEnumerable, keys: keysOf, max, min, ownKeys, repeat } = p;
  const { stringEndsWith, stringIncludes, stringIndexOf, stringSlice, stringSplit, stringStartsWith, test } = p;
  const { escapeText, host, kindOf, quote } = internal;

  const IDENTIFIER = /^[a-zA-Z_][a-zA-Z_0-9]*$/;
  const INDEX = /^(0|[1-9][0-9]*)$/;
  const customInspect = Symbol.for('nodejs.util.inspect.custom');
  // How the entries of something are laid out: as an object's properties, as an array's items, or as both.
  const PROPERTIES = 0;
  const ITEMS = 1;
  const ARRAY = 2;

  const builtins = new Set();
  for (const name of Object.getOwnPropertyNames(globalThis)) if (/^[A-Z][a-zA-Z0-9]+$/.test(name)) builtins.add(name);

  const defaults = {
    __proto__: null, showHidden: false, depth: 2, colors: false, customInspect: true, showProxy: false,
    maxArrayLength: 100, maxStringLength: 10000, breakLength: 80, compact: 3, sorted: false, getters: false,
    numericSeparator: false,
  };

  function inspect(value, options) {
    const context = {
      __proto__: null, ...defaults, seen: [], indentation: 0, innermost: 0, circular: undefined,
      stylize: (text) => text,
    };
    if (arguments.length > 1) {
      if (typeof options === 'object' && options !== null) {
        for (const name of keysOf(options)) {
          if (hasOwn(defaults, name) || name in defaults || name === 'stylize') context[name] = options[name];
        }
      } else if (typeof options === 'boolean') {
        // The old order of arguments: showHidden, depth, colors.
        context.showHidden = options;
        if (arguments[2] !== undefined) context.depth = arguments[2];
      }
    }
    if (context.maxArrayLength === null) context.maxArrayLength = Infinity;
    if (context.maxStringLength === null) context.maxStringLength = Infinity;
    if (context.depth === null) context.depth = Infinity;
    return formatValue(context, value, 0, false);
  }
  inspect.custom = customInspect;
  inspect.defaultOptions = { ...defaults };
  inspect.colors = { __proto__: null };
  inspect.styles = { __proto__: null };

  const remaining = (n) => `... ${n} more item${n > 1 ? 's' : ''}`;
  const numberText = (number) => (is(number, -0) ? '-0' : `${number}`);

  function primitive(context, value) {
    switch (typeof value) {
      case 'string': {
        let trailer = '';
        if (value.length > context.maxStringLength) {
          const rest = value.length - context.maxStringLength;
          value = stringSlice(value, 0, context.maxStringLength);
          trailer = `... ${rest} more character${rest > 1 ? 's' : ''}`;
        }
        if (context.compact !== true && value.length > 16
          && value.length > context.breakLength - context.indentation - 4) {
          const lines = stringSplit(value, '\n');
          const parts = [];
          for (let i = 0; i < lines.length; i++) {
            const isLast = i === lines.length - 1;
            if (!isLast) arrayPush(parts, quote(lines[i] + '\n'));
            else if (lines[i] !== '' || i === 0) arrayPush(parts, quote(lines[i]));
          }
          return arrayJoin(parts, ` +\n${repeat(' ', context.indentation + 2)}`) + trailer;
        }
        return quote(value) + trailer;
      }
      case 'number': return numberText(value);
      case 'bigint': return `${value}n`;
      case 'symbol': return p.symbolToString(value);
      default: return `${value}`;
    }
  }

  function formatValue(context, value, depth, inTypedArray) {
    if (value === null) return 'null';
    if (typeof value !== 'object' && typeof value !== 'function') return primitive(context, value);
    const shown = value;
    if (context.customInspect && kindOf(value) !== 'Proxy') {
      const custom = value[customInspect];
      if (typeof custom === 'function' && custom !== inspect
        && !(value.constructor && value.constructor.prototype === value)) {
        const { seen, indentation, innermost, circular, stylize, ...options } = context;
        const left = context.depth === Infinity ? null : context.depth - depth;
        const result = p.apply(custom, value, [left, { ...options, depth: left, stylize }, inspect]);
        if (result !== shown) {
          if (typeof result !== 'string') return formatValue(context, result, depth);
          return arrayJoin(stringSplit(result, '\n'), `\n${repeat(' ', context.indentation)}`);
        }
      }
    }
    if (arrayIncludes(context.seen, value)) {
      if (context.circular === undefined) context.circular = [];
      let index = arrayIndexOf(context.circular, value);
      if (index < 0) index = arrayPush(context.circular, value) - 1;
      return `[Circular *${index + 1}]`;
    }
    return formatObject(context, value, depth, inTypedArray);
  }

  // The name of the constructor that made an object; null for an object without a prototype.
  function constructorName(object, context, depth) {
    let first;
    let current = object;
    while (current !== null && current !== undefined) {
      const own = descriptor(current, 'constructor');
      if (own !== undefined && typeof own.value === 'function' && own.value.name !== ''
        && isInstance(object, own.value)) {
        return String(own.value.name);
      }
      current = getPrototypeOf(current);
      if (first === undefined) first = current;
    }
    if (first === null) return null;
    const name = engineName(object);
    if (depth > context.depth) return `${name} <Complex prototype>`;
    const inner = constructorName(first, context, depth + 1);
    if (inner === null) {
      return `${name} <${inspect(first, { depth: -1, customInspect: false })}>`;
    }
    return `${name} <${inner}>`;
  }

  function isInstance(object, constructor) {
    try {
      return object instanceof constructor;
    } catch {
      return false;
    }
  }

  // What the engine calls it, for objects whose constructor cannot be found.
  function engineName(object) {
    const kind = kindOf(object);
    if (kind === 'TypedArray') return p.typedArrayTag(object);
    return kind === 'Arguments' ? 'Object' : kind;
  }

  function prefix(constructor, tag, fallback, size = '') {
    if (constructor === null) {
      return tag !== '' && fallback !== tag
        ? `[${fallback}${size}: null prototype] [${tag}] ` : `[${fallback}${size}: null prototype] `;
    }
    return tag !== '' && constructor !== tag ? `${constructor}${size} [${tag}] ` : `${constructor}${size} `;
  }

  // The keys to be shown besides what the kind of the object shows by itself.
  function visibleKeys(object, showHidden) {
    const visible = [];
    for (const key of ownKeys(object)) {
      if (showHidden || isEnumerable(object, key)) arrayPush(visible, key);
    }
    return visible;
  }

  function keysBeside(object, showHidden) {
    const visible = [];
    const all = ownKeys(object);
    for (let i = p.typedArrayTag(object) === undefined ? 0 : object.length; i < all.length; i++) {
      const key = all[i];
      if (typeof key === 'string' && test(INDEX, key)) continue;
      if (showHidden || isEnumerable(object, key)) arrayPush(visible, key);
    }
    return visible;
  }

  // How an object is shown, before its entries are formatted: a text that is all of it, or its parts.
  function describe(context, value, depth, inTypedArray) {
    const constructor = constructorName(value, context, depth);
    let tag = value[p.toStringTag];
    if (typeof tag !== 'string'
      || (tag !== '' && (context.showHidden ? hasOwn : isEnumerable)(value, p.toStringTag))) tag = '';
    const kind = kindOf(value);
    const shape = {
      constructor, tag, kind, base: '', open: '{', close: '}', layout: PROPERTIES, items: noItems, keys: undefined,
      whole: undefined,
    };
    const container = containers[kind];
    if (container !== undefined && (container.always || p.iterator in value || constructor === null)) {
      container(context, value, shape);
      return shape;
    }
    shape.keys = visibleKeys(value, context.showHidden);
    (others[kind] ?? plain)(context, value, shape, depth, inTypedArray);
    return shape;
  }

  const noItems = () => [];

  const containers = {
    __proto__: null,
    Array(context, value, shape) {
      const name = shape.constructor !== 'Array' || shape.tag !== ''
        ? prefix(shape.constructor, shape.tag, 'Array', `(${value.length})`) : '';
      shape.keys = keysBeside(value, context.showHidden);
      shape.open = `${name}[`;
      shape.close = ']';
      shape.layout = ARRAY;
      shape.items = arrayItems;
      if (value.length === 0 && shape.keys.length === 0) shape.whole = `${shape.open}]`;
    },
    Set(context, value, shape) {
      const size = p.setSize(value);
      shape.open = `${prefix(shape.constructor, shape.tag, 'Set', `(${size})`)}{`;
      shape.keys = visibleKeys(value, context.showHidden);
      shape.items = setItems;
      if (size === 0 && shape.keys.length === 0) shape.whole = `${shape.open}}`;
    },
    Map(context, value, shape) {
      const size = p.mapSize(value);
      shape.open = `${prefix(shape.constructor, shape.tag, 'Map', `(${size})`)}{`;
      shape.keys = visibleKeys(value, context.showHidden);
      shape.items = mapItems;
      if (size === 0 && shape.keys.length === 0) shape.whole = `${shape.open}}`;
    },
    TypedArray(context, value, shape) {
      const size = p.typedArrayLength(value);
      const fallback = shape.constructor === null ? p.typedArrayTag(value) : '';
      shape.keys = keysBeside(value, context.showHidden);
      shape.open = `${prefix(shape.constructor, shape.tag, fallback, `(${size})`)}[`;
      shape.close = ']';
      shape.layout = ARRAY;
      shape.items = typedItems;
      if (size === 0 && shape.keys.length === 0) shape.whole = `${shape.open}]`;
    },
    MapIterator(context, value, shape) {
      iteratorShape(context, value, shape, 'Map Iterator');
    },
    SetIterator(context, value, shape) {
      iteratorShape(context, value, shape, 'Set Iterator');
    },
  };

  // An iterator cannot be read without moving it on, so that its items are not shown.
  function iteratorShape(context, value, shape, name) {
    shape.keys = visibleKeys(value, context.showHidden);
    shape.open = `Object [${name}] {`;
    if (shape.keys.length === 0) shape.whole = `${shape.open}}`;
  }

  const others = {
    __proto__: null,
    Function: functionShape, AsyncFunction: functionShape, GeneratorFunction: functionShape,
    AsyncGeneratorFunction: functionShape,
    Arguments(context, value, shape) {
      shape.open = '[Arguments] {';
      if (shape.keys.length === 0) shape.whole = '[Arguments] {}';
    },
    RegExp(context, value, shape, depth) {
      const name = prefix(shape.constructor, shape.tag, 'RegExp');
      shape.base = (name === 'RegExp ' ? '' : name) + p.regexpToString(value);
      if (shape.keys.length === 0 || depth > context.depth) shape.whole = shape.base;
    },
    Date(context, value, shape) {
      const name = prefix(shape.constructor, shape.tag, 'Date');
      const text = p.dateGetTime(value) !== p.dateGetTime(value) ? p.dateToString(value) : p.dateToISOString(value);
      shape.base = (name === 'Date ' ? '' : name) + text;
      if (shape.keys.length === 0) shape.whole = shape.base;
    },
    Error(context, value, shape) {
      shape.base = formatError(context, value, shape);
      if (shape.keys.length === 0) shape.whole = shape.base;
    },
    ArrayBuffer(context, value, shape, depth, inTypedArray) {
      const name = prefix(shape.constructor, shape.tag, 'ArrayBuffer');
      if (inTypedArray && shape.keys.length === 0) {
        shape.whole = `${name}{ byteLength: ${value.byteLength} }`;
        return;
      }
      shape.open = `${name}{`;
      shape.items = bufferItems;
      shape.keys = ['byteLength', ...shape.keys];
    },
    DataView(context, value, shape) {
      shape.open = `${prefix(shape.constructor, shape.tag, 'DataView')}{`;
      shape.keys = ['byteLength', 'byteOffset', 'buffer', ...shape.keys];
    },
    Promise(context, value, shape) {
      shape.open = `${prefix(shape.constructor, shape.tag, 'Promise')}{`;
      shape.items = promiseItems;
    },
    WeakSet: weakShape, WeakMap: weakShape,
    WeakRef(context, value, shape) {
      shape.open = `${prefix(shape.constructor, shape.tag, 'WeakRef')}{`;
      shape.items = (inner, ref, depth) => [formatValue(inner, ref.deref(), depth)];
    },
    Generator(context, value, shape) {
      shape.open = 'Object [Generator] {';
      if (shape.keys.length === 0) shape.whole = 'Object [Generator] {}';
    },
    ArrayIterator(context, value, shape) {
      shape.open = 'Object [Array Iterator] {';
      if (shape.keys.length === 0) shape.whole = 'Object [Array Iterator] {}';
    },
    Number: boxedShape, String: boxedShape, Boolean: boxedShape, BigInt: boxedShape, Symbol: boxedShape,
    Proxy(context, value, shape) {
      if (typeof value === 'function') functionShape(context, value, shape);
      else if (isArray(value)) containers.Array(context, value, shape);
      else plain(context, value, shape);
    },
  };

  function plain(context, value, shape) {
    if (shape.constructor === 'Object') {
      if (shape.tag !== '') shape.open = `${prefix('Object', shape.tag, 'Object')}{`;
    } else {
      shape.open = `${prefix(shape.constructor, shape.tag, 'Object')}{`;
    }
    if (shape.keys.length === 0) shape.whole = `${shape.open}}`;
  }

  function weakShape(context, value, shape) {
    shape.open = `${prefix(shape.constructor, shape.tag, shape.kind)}{`;
    shape.items = () => ['<items unknown>'];
  }

  function boxedShape(context, value, shape) {
    const { kind, constructor, tag } = shape;
    const inner = {
      Number: p.numberValueOf, String: p.stringValueOf, Boolean: p.booleanValueOf, BigInt: p.bigintValueOf,
      Symbol: p.symbolValueOf,
    }[kind](value);
    if (kind === 'String') shape.keys = arraySlice(shape.keys, value.length);
    let base = `[${kind}`;
    if (kind !== constructor) base += constructor === null ? ' (null prototype)' : ` (${constructor})`;
    base += `: ${primitive({ ...context, compact: true }, inner)}]`;
    if (tag !== '' && tag !== constructor) base += ` [${tag}]`;
    shape.base = base;
    if (shape.keys.length === 0) shape.whole = base;
  }

  function functionShape(context, value, shape) {
    shape.base = functionBase(value, shape.constructor, shape.tag);
    if (shape.keys.length === 0) shape.whole = shape.base;
  }

  function functionBase(value, constructor, tag) {
    const kind = kindOf(value);
    const text = kind === 'Proxy' ? '' : p.functionToString(value);
    if (stringStartsWith(text, 'class') && stringEndsWith(text, '}') && test(/^class[\s{]/, text)) {
      const name = (hasOwn(value, 'name') && value.name) || '(anonymous)';
      let base = `class ${name}`;
      if (constructor !== 'Function' && constructor !== null) base += ` [${constructor}]`;
      if (tag !== '' && constructor !== tag) base += ` [${tag}]`;
      if (constructor === null) base += ' extends [null prototype]';
      else if (getPrototypeOf(value).name) base += ` extends ${getPrototypeOf(value).name}`;
      return `[${base}]`;
    }
    const type = kind === 'Proxy' ? 'Function' : kind === 'AsyncGeneratorFunction' ? 'AsyncGeneratorFunction' : kind;
    let base = `[${type}`;
    if (constructor === null) base += ' (null prototype)';
    base += value.name === '' ? ' (anonymous)' : `: ${value.name}`;
    base += ']';
    if (constructor !== type && constructor !== null) base += ` ${constructor}`;
    if (tag !== '' && constructor !== tag) base += ` [${tag}]`;
    return base;
  }

  function formatObject(context, value, depth, inTypedArray) {
    const shape = describe(context, value, depth, inTypedArray);
    if (shape.whole !== undefined) return shape.whole;
    if (depth > context.depth) {
      const name = stringSlice(prefix(shape.constructor, shape.tag, engineName(value)), 0, -1);
      return shape.constructor === null ? name : `[${name}]`;
    }
    depth += 1;
    arrayPush(context.seen, value);
    context.innermost = depth;
    let output = shape.items(context, value, depth);
    const plainLayout = shape.layout === ARRAY ? ARRAY : PROPERTIES;
    const nItems = output.length;
    for (const key of shape.keys) arrayPush(output, formatProperty(context, value, depth, key, plainLayout));
    if (context.circular !== undefined) {
      const index = arrayIndexOf(context.circular, value);
      if (index >= 0) {
        const reference = `<ref *${index + 1}>`;
        shape.base = shape.base === '' ? reference : `${reference} ${shape.base}`;
      }
    }
    context.seen.length -= 1;
    if (context.sorted) {
      const order = context.sorted === true ? undefined : context.sorted;
      const own = arraySort(arraySlice(output, shape.layout === ARRAY ? nItems : 0), order);
      output = shape.layout === ARRAY ? [...arraySlice(output, 0, nItems), ...own] : own;
    }
    return reduce(context, output, shape, depth, value);
  }

  function arrayItems(context, value, depth) {
    const length = value.length;
    const shown = min(max(0, context.maxArrayLength), length);
    const output = [];
    for (let i = 0; i < shown; i++) {
      if (!hasOwn(value, i)) return sparseItems(context, value, depth, shown, output, i);
      arrayPush(output, formatProperty(context, value, depth, i, ITEMS));
    }
    if (length > shown) arrayPush(output, remaining(length - shown));
    return output;
  }

  function sparseItems(context, value, depth, shown, output, from) {
    const indices = keysOf(value);
    let index = from;
    for (let i = from; i < indices.length && output.length < shown; i++) {
      const key = indices[i];
      if (!test(INDEX, key) || +key > 4294967294) break;
      if (+key !== index) {
        const n = +key - index;
        arrayPush(output, `<${n} empty item${n > 1 ? 's' : ''}>`);
        index = +key;
        if (output.length === shown) break;
      }
      arrayPush(output, formatProperty(context, value, depth, key, ITEMS));
      index++;
    }
    const rest = value.length - index;
    if (rest > 0) {
      arrayPush(output, output.length === shown ? remaining(rest) : `<${rest} empty item${rest > 1 ? 's' : ''}>`);
    }
    return output;
  }

  function typedItems(context, value) {
    const length = p.typedArrayLength(value);
    const shown = min(max(0, context.maxArrayLength), length);
    const output = [];
    for (let i = 0; i < shown; i++) {
      arrayPush(output, typeof value[i] === 'bigint' ? `${value[i]}n` : numberText(value[i]));
    }
    if (length > shown) arrayPush(output, remaining(length - shown));
    return output;
  }

  function setItems(context, value, depth) {
    const output = [];
    const length = p.setSize(value);
    context.indentation += 2;
    p.setForEach(value, (item) => {
      if (output.length < context.maxArrayLength) arrayPush(output, formatValue(context, item, depth));
    });
    if (length > output.length) arrayPush(output, remaining(length - output.length));
    context.indentation -= 2;
    return output;
  }

  function mapItems(context, value, depth) {
    const output = [];
    const length = p.mapSize(value);
    context.indentation += 2;
    p.mapForEach(value, (item, key) => {
      if (output.length < context.maxArrayLength) {
        arrayPush(output, `${formatValue(context, key, depth)} => ${formatValue(context, item, depth)}`);
      }
    });
    if (length > output.length) arrayPush(output, remaining(length - output.length));
    context.indentation -= 2;
    return output;
  }

  function bufferItems(context, value) {
    const bytes = new p.Uint8Array(value);
    const shown = min(context.maxArrayLength, bytes.length);
    const digits = [];
    for (let i = 0; i < shown; i++) arrayPush(digits, p.padStart(p.numberToString(bytes[i], 16), 2, '0'));
    const rest = bytes.length - shown;
    const more = rest > 0 ? ` ... ${rest} more byte${rest > 1 ? 's' : ''}` : '';
    return [`[Uint8Contents]: <${arrayJoin(digits, ' ')}${more}>`];
  }

  function promiseItems(context, value, depth) {
    const state = host.promiseState(value);
    if (state === 0) return ['<pending>'];
    context.indentation += 2;
    const text = formatValue(context, host.promiseResult(value), depth);
    context.indentation -= 2;
    return [state === 2 ? `<rejected> ${text}` : text];
  }

  function formatProperty(context, value, depth, key, layout) {
    const own = descriptor(value, key) ?? { value: value[key], enumerable: true };
    let text;
    if (own.value !== undefined) {
      context.indentation += 2;
      text = formatValue(context, own.value, depth);
      context.indentation -= 2;
    } else if (own.get !== undefined) {
      text = accessorText(context, value, depth, own);
    } else {
      text = own.set !== undefined ? '[Setter]' : 'undefined';
    }
    if (layout === ITEMS) return text;
    let name;
    if (typeof key === 'symbol') name = `[${escapeText(p.symbolToString(key), -1)}]`;
    else if (key === '__proto__') name = "['__proto__']";
    else if (own.enumerable === false) name = `[${escapeText(key, 39)}]`;
    else if (test(IDENTIFIER, key)) name = key;
    else name = quote(key);
    return `${name}: ${text}`;
  }

  function accessorText(context, value, depth, own) {
    const label = own.set !== undefined ? 'Getter/Setter' : 'Getter';
    const asked = context.getters;
    if (!(asked === true || (asked === 'get' && own.set === undefined) || (asked === 'set' && own.set !== undefined))) {
      return `[${label}]`;
    }
    try {
      const result = p.apply(own.get, value, []);
      context.indentation += 2;
      let text;
      if (result === null) text = `[${label}: null]`;
      else if (typeof result === 'object') text = `[${label}] ${formatValue(context, result, depth)}`;
      else text = `[${label}: ${primitive(context, result)}]`;
      context.indentation -= 2;
      return text;
    } catch (error) {
      return `[${label}: <Inspection threw (${error.message})>]`;
    }
  }

  // The stack of an error, which begins with its name and message as Node's does; the engine's has the calls alone.
  internal.stackOf = (error) => {
    const own = error.stack;
    if (typeof own !== 'string' || own === '') return p.errorToString(error);
    const isEngines = stringStartsWith(own, '    at ');
    if (!isEngines) return own;
    const header = p.errorToString(error);
    const frames = internal.cleanFrames(own);
    return frames === '' ? `${header}\n    at <anonymous>` : `${header}\n${frames}`;
  };

  function formatError(context, error, shape) {
    const name = error.name != null ? String(error.name) : 'Error';
    let stack = internal.stackOf(error);
    const { keys } = shape;
    for (const key of ['name', 'message', 'stack']) {
      const index = arrayIndexOf(keys, key);
      if (index !== -1 && stringIncludes(stack, String(error[key]))) arraySplice(keys, index, 1);
    }
    if ('cause' in error && !arrayIncludes(keys, 'cause')) arrayPush(keys, 'cause');
    if (isArray(error.errors) && !arrayIncludes(keys, 'errors')) arrayPush(keys, 'errors');
    stack = improveName(stack, shape.constructor, name, shape.tag);
    const message = error.message;
    let at = typeof message === 'string' && message !== '' ? stringIndexOf(stack, message) : -1;
    if (at !== -1) at += message.length;
    if (stringIndexOf(p.stringSlice(stack, max(at, 0)), '\n    at') === -1) stack = `[${stack}]`;
    if (context.indentation !== 0) {
      stack = arrayJoin(stringSplit(stack, '\n'), `\n${repeat(' ', context.indentation)}`);
    }
    return stack;
  }

  // An error of a class of its own is shown with the name of its class.
  function improveName(stack, constructor, name, tag) {
    const end = name.length;
    const isUsual = stringEndsWith(name, 'Error') && stringStartsWith(stack, name)
      && (stack.length === end || stack[end] === ':' || stack[end] === '\n');
    if (constructor !== null && !isUsual) return stack;
    const full = stringSlice(prefix(constructor, tag, 'Error'), 0, -1);
    if (name === full) return stack;
    if (stringIncludes(full, name)) return full + stringSlice(stack, end);
    return `${full} [${name}]${stringSlice(stack, end)}`;
  }

  internal.inspect = inspect;
  internal.inspectDefaults = defaults;
  internal.isBuiltinName = (name) => builtins.has(name);
  internal.layout = { ARRAY };
  const reduce = (...args) => internal.reduce(...args);
})
