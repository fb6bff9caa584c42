// `Buffer`: bytes as a `Uint8Array` with Node's methods.
(function (internal) {
  'use strict';
  const p = internal.primordials;
  const { arrayJoin, arrayPush, defineProperty, max, min, numberToString, padStart, trunc } = p;
  const { typedArraySet, typedArraySubarray } = p;
  const { bytesOf, codec } = internal;
  // Bytes that `console.log` shows.
  const SHOWN = 50;

  class Buffer extends Uint8Array {
    toString(encoding, start = 0, end = this.length) {
      return codec(encoding).decode(view(this, max(0, start | 0), min(this.length, end)));
    }
    toLocaleString(encoding, start, end) { return this.toString(encoding, start, end); }
    toJSON() { return { type: 'Buffer', data: p.Array.from(this) }; }
    slice(start, end) { return this.subarray(start, end); }
    equals(other) { return compare(this, other) === 0; }
    compare(other, targetStart = 0, targetEnd = other.length, start = 0, end = this.length) {
      return compare(view(this, start, end), view(other, targetStart, targetEnd));
    }
    copy(target, targetStart = 0, start = 0, end = this.length) {
      const n = max(0, min(end - start, target.length - targetStart, this.length - start));
      typedArraySet(target, view(this, start, start + n), targetStart);
      return n;
    }
    write(text, offset = 0, length, encoding) {
      if (typeof offset === 'string') [encoding, offset] = [offset, 0];
      if (typeof length === 'string') [encoding, length] = [length, undefined];
      const bytes = codec(encoding).encode(`${text}`);
      const n = min(bytes.length, length ?? Infinity, this.length - offset);
      typedArraySet(this, typedArraySubarray(bytes, 0, n), offset);
      return n;
    }
    fill(value, start = 0, end = this.length, encoding = 'utf8') {
      if (typeof start === 'string') [encoding, start, end] = [start, 0, this.length];
      if (typeof value === 'string' || p.typedArrayTag(value) !== undefined) {
        const bytes = typeof value === 'string' ? codec(encoding).encode(value) : value;
        if (bytes.length === 0) return super.fill(0, start, end);
        for (let i = start; i < end; i++) this[i] = bytes[(i - start) % bytes.length];
        return this;
      }
      return super.fill(typeof value === 'boolean' ? +value : value, start, end);
    }
    indexOf(value, from = 0, encoding) { return find(this, value, from, encoding, false); }
    lastIndexOf(value, from = this.length, encoding) { return find(this, value, from, encoding, true); }
    includes(value, from, encoding) { return this.indexOf(value, from, encoding) !== -1; }
    swap16() { return swap(this, 2); }
    swap32() { return swap(this, 4); }
    swap64() { return swap(this, 8); }
    readUIntBE(offset, n) { return read(this, offset, n, false); }
    readUIntLE(offset, n) { return read(this, offset, n, true); }
    readIntBE(offset, n) { return signed(read(this, offset, n, false), n); }
    readIntLE(offset, n) { return signed(read(this, offset, n, true), n); }
    writeUIntBE(value, offset, n) { return write(this, value, offset, n, false); }
    writeUIntLE(value, offset, n) { return write(this, value, offset, n, true); }
    writeIntBE(value, offset, n) { return write(this, value, offset, n, false); }
    writeIntLE(value, offset, n) { return write(this, value, offset, n, true); }
    get parent() { return this.buffer; }
    get offset() { return this.byteOffset; }
    [internal.inspect.custom]() {
      const parts = [];
      for (let i = 0; i < min(SHOWN, this.length); i++) arrayPush(parts, padStart(numberToString(this[i], 16), 2, '0'));
      const rest = this.length - SHOWN;
      const more = rest > 0 ? ` ... ${rest} more byte${rest > 1 ? 's' : ''}` : '';
      return `<${this.constructor.name}${parts.length > 0 ? ' ' : ''}${arrayJoin(parts, ' ')}${more}>`;
    }
  }

  const view = (bytes, start, end) => new p.Uint8Array(bytes.buffer, bytes.byteOffset + start, max(0, end - start));

  function compare(a, b) {
    const n = min(a.length, b.length);
    for (let i = 0; i < n; i++) if (a[i] !== b[i]) return a[i] < b[i] ? -1 : 1;
    return a.length === b.length ? 0 : a.length < b.length ? -1 : 1;
  }

  function find(buffer, value, from, encoding, backwards) {
    if (typeof from === 'string') [encoding, from] = [from, backwards ? buffer.length : 0];
    const bytes = typeof value === 'number' ? [value & 255] : typeof value === 'string' ? codec(encoding).encode(value) : value;
    from = trunc(+from);
    if (from !== from) from = backwards ? buffer.length : 0;
    if (from < 0) from += buffer.length;
    const isAt = (i) => {
      for (let j = 0; j < bytes.length; j++) if (buffer[i + j] !== bytes[j]) return false;
      return true;
    };
    const last = buffer.length - bytes.length;
    if (backwards) {
      for (let i = min(from, last); i >= 0; i--) if (isAt(i)) return i;
    } else {
      for (let i = max(0, from); i <= last; i++) if (isAt(i)) return i;
    }
    return -1;
  }

  function swap(buffer, n) {
    if (buffer.length % n !== 0) {
      throw internal.nodeError(p.RangeError, 'ERR_INVALID_BUFFER_SIZE', `Buffer size must be a multiple of ${8 * n}-bits`);
    }
    for (let i = 0; i < buffer.length; i += n) typedArraySubarray(buffer, i, i + n).reverse();
    return buffer;
  }

  function check(buffer, offset, n) {
    if (!(offset >= 0 && offset + n <= buffer.length)) {
      throw internal.nodeError(p.RangeError, 'ERR_OUT_OF_RANGE',
        `The value of "offset" is out of range. It must be >= 0 and <= ${buffer.length - n}. Received ${offset}`);
    }
  }
  function read(buffer, offset = 0, n, isLittle) {
    check(buffer, offset, n);
    let value = 0;
    for (let i = 0; i < n; i++) value = value * 256 + buffer[isLittle ? offset + n - 1 - i : offset + i];
    return value;
  }
  const signed = (value, n) => (value >= 2 ** (8 * n - 1) ? value - 2 ** (8 * n) : value);
  function write(buffer, value, offset = 0, n, isLittle) {
    check(buffer, offset, n);
    value = +value;
    if (value < 0) value += 2 ** (8 * n);
    for (let i = 0; i < n; i++) {
      buffer[isLittle ? offset + i : offset + n - 1 - i] = value % 256;
      value = p.floor(value / 256);
    }
    return offset + n;
  }

  const method = (name, value) => {
    defineProperty(Buffer.prototype, name, { value, writable: true, configurable: true, enumerable: false });
  };
  for (const [bits, letter] of [[8, ''], [16, 'LE'], [16, 'BE'], [32, 'LE'], [32, 'BE']]) {
    const n = bits / 8;
    const isLittle = letter === 'LE';
    for (const unsigned of ['UInt', 'Uint']) {
      method(`read${unsigned}${bits}${letter}`, function (offset) { return read(this, offset, n, isLittle); });
      method(`write${unsigned}${bits}${letter}`, function (value, offset) { return write(this, value, offset, n, isLittle); });
    }
    method(`readInt${bits}${letter}`, function (offset) { return signed(read(this, offset, n, isLittle), n); });
    method(`writeInt${bits}${letter}`, function (value, offset) { return write(this, value, offset, n, isLittle); });
  }
  for (const [name, kind, n] of [['Float', 'Float32', 4], ['Double', 'Float64', 8], ['BigInt64', 'BigInt64', 8],
    ['BigUInt64', 'BigUint64', 8]]) {
    const get = p.uncurry(p.DataView.prototype[`get${kind}`]);
    const set = p.uncurry(p.DataView.prototype[`set${kind}`]);
    for (const letter of ['LE', 'BE']) {
      method(`read${name}${letter}`, function (offset = 0) {
        check(this, offset, n);
        return get(new p.DataView(this.buffer, this.byteOffset, this.length), offset, letter === 'LE');
      });
      method(`write${name}${letter}`, function (value, offset = 0) {
        check(this, offset, n);
        set(new p.DataView(this.buffer, this.byteOffset, this.length), offset, value, letter === 'LE');
        return offset + n;
      });
    }
  }

  const copyOf = (bytes) => {
    const buffer = new Buffer(bytes.length);
    typedArraySet(buffer, bytes);
    return buffer;
  };
  // The same bytes, not a copy.
  const wrap = (bytes) => new Buffer(bytes.buffer, bytes.byteOffset, bytes.length);

  function from(value, encoding, length) {
    if (typeof value === 'string') return wrap(codec(encoding).encode(value));
    if (value !== null && typeof value === 'object') {
      if (internal.kindOf(value) === 'ArrayBuffer') return new Buffer(value, encoding, length);
      if (p.typedArrayTag(value) !== undefined || p.isArray(value)) return copyOf(value);
      if (value.type === 'Buffer' && p.isArray(value.data)) return copyOf(value.data);
      const inner = typeof value.valueOf === 'function' ? value.valueOf() : value;
      if (inner !== value && inner != null) return from(inner, encoding, length);
      if (typeof value.length === 'number') return copyOf(p.Array.from(value));
      if (typeof value[p.toPrimitive] === 'function') return from(value[p.toPrimitive]('string'), encoding);
    }
    throw internal.nodeError(p.TypeError, 'ERR_INVALID_ARG_TYPE', 'The first argument must be of type string or an '
      + `instance of Buffer, ArrayBuffer, or Array or an Array-like Object. Received ${internal.received(value)}`);
  }

  const sized = (size) => {
    if (typeof size !== 'number') {
      throw internal.nodeError(p.TypeError, 'ERR_INVALID_ARG_TYPE',
        `The "size" argument must be of type number. Received ${internal.received(size)}`);
    }
    return new Buffer(size);
  };
  const statics = {
    from,
    alloc: (size, fill, encoding) => (fill === undefined || fill === 0 ? sized(size) : sized(size).fill(fill, encoding)),
    allocUnsafe: sized,
    allocUnsafeSlow: sized,
    isBuffer: (value) => value instanceof Buffer,
    isEncoding: internal.isEncoding,
    byteLength: (value, encoding) => (typeof value === 'string' ? codec(encoding).encode(value).length : value.byteLength),
    compare,
    concat(list, length) {
      let total = 0;
      for (const part of list) total += part.length;
      const result = new Buffer(length ?? total);
      let at = 0;
      for (const part of list) {
        const fitting = min(part.length, result.length - at);
        if (fitting > 0) typedArraySet(result, view(part, 0, fitting), at);
        at += fitting;
      }
      return result;
    },
    of: (...bytes) => copyOf(bytes),
    poolSize: 8192,
  };
  for (const name of p.keys(statics)) {
    defineProperty(Buffer, name, { value: statics[name], writable: true, configurable: true, enumerable: true });
  }
  defineProperty(Buffer, 'name', { value: 'Buffer' });

  // `new Buffer` and `Buffer(…)` are deprecated, and still found.
  const callable = function Buffer(value, encoding, length) {
    if (new.target !== undefined && new.target !== exported) return p.construct(Buffer_, [value, encoding, length], new.target);
    return typeof value === 'number' ? statics.alloc(value) : from(value, encoding, length);
  };
  const Buffer_ = Buffer;
  const exported = callable;
  p.setPrototypeOf(exported, Buffer_);
  exported.prototype = Buffer_.prototype;
  defineProperty(Buffer_.prototype, 'constructor', { value: exported, writable: true, configurable: true, enumerable: false });
  defineProperty(statics, 'isBuffer', { value: (value) => value instanceof Buffer_ });
  for (const name of p.keys(statics)) {
    defineProperty(exported, name, { value: statics[name], writable: true, configurable: true, enumerable: true });
  }

  internal.Buffer = exported;
  internal.toBuffer = wrap;
  internal.bytesToWrite = (value, encoding) => (typeof value === 'string' ? codec(encoding).encode(value) : bytesOf(value));
})
