// Text to bytes and back: UTF-8, UTF-16, Latin-1, hexadecimal, Base64; `TextEncoder` and `TextDecoder`.
(function (internal) {
  'use strict';
  const p = internal.primordials;
  const { apply, arrayJoin, arrayPush, charCodeAt, decodeURIComponent, encodeURIComponent, escape, fromCharCode } = p;
  const { min, numberToString, padStart, stringSlice, stringReplace, test, typedArraySubarray, unescape } = p;
  // Code units that are made into a string at once.
  const CHUNK = 8192;
  const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

  // Each byte as the character of that number.
  function latin1(bytes) {
    if (bytes.length <= CHUNK) return apply(fromCharCode, null, bytes);
    const parts = [];
    for (let i = 0; i < bytes.length; i += CHUNK) {
      arrayPush(parts, apply(fromCharCode, null, typedArraySubarray(bytes, i, min(i + CHUNK, bytes.length))));
    }
    return arrayJoin(parts, '');
  }

  function codeUnits(text, bytes) {
    for (let i = 0; i < text.length; i++) bytes[i] = charCodeAt(text, i);
    return bytes;
  }

  // What is not valid becomes U+FFFD, once for each part that could have begun a character.
  function decodeLossy(bytes) {
    let result = '';
    let i = 0;
    while (i < bytes.length) {
      const first = bytes[i++];
      if (first < 0x80) {
        result += fromCharCode(first);
        continue;
      }
      let more = first >= 0xc2 && first < 0xe0 ? 1 : first >= 0xe0 && first < 0xf0 ? 2 : first >= 0xf0 && first < 0xf5 ? 3 : 0;
      if (more === 0) {
        result += '\ufffd';
        continue;
      }
      let code = first & (0x3f >> more);
      let low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
      let high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
      while (more > 0 && i < bytes.length && bytes[i] >= low && bytes[i] <= high) {
        code = (code << 6) | (bytes[i++] & 0x3f);
        low = 0x80;
        high = 0xbf;
        more--;
      }
      result += more === 0 ? p.String.fromCodePoint(code) : '\ufffd';
    }
    return result;
  }

  const codecs = {
    __proto__: null,
    utf8: {
      encode(text) {
        if (!test(/[^\x00-\x7f]/, text)) return codeUnits(text, new p.Uint8Array(text.length));
        const units = unescape(encodeURIComponent(p.isWellFormed(text) ? text : text.toWellFormed()));
        return codeUnits(units, new p.Uint8Array(units.length));
      },
      decode(bytes) {
        const units = latin1(bytes);
        if (!test(/[\x80-\xff]/, units)) return units;
        try {
          return decodeURIComponent(escape(units));
        } catch {
          return decodeLossy(bytes);
        }
      },
    },
    latin1: { encode: (text) => codeUnits(text, new p.Uint8Array(text.length)), decode: latin1 },
    ascii: {
      encode: (text) => codeUnits(text, new p.Uint8Array(text.length)),
      decode(bytes) {
        const low = new p.Uint8Array(bytes.length);
        for (let i = 0; i < bytes.length; i++) low[i] = bytes[i] & 0x7f;
        return latin1(low);
      },
    },
    utf16le: {
      encode(text) {
        const bytes = new p.Uint8Array(text.length * 2);
        for (let i = 0; i < text.length; i++) {
          const code = charCodeAt(text, i);
          bytes[2 * i] = code;
          bytes[2 * i + 1] = code >> 8;
        }
        return bytes;
      },
      decode(bytes) {
        const parts = [];
        for (let i = 0; i + 1 < bytes.length; i += 2) arrayPush(parts, fromCharCode(bytes[i] | (bytes[i + 1] << 8)));
        return arrayJoin(parts, '');
      },
    },
    hex: {
      encode(text) {
        let n = 0;
        while (2 * n + 1 < text.length && test(/^[0-9a-fA-F]{2}$/, stringSlice(text, 2 * n, 2 * n + 2))) n++;
        const bytes = new p.Uint8Array(n);
        for (let i = 0; i < n; i++) bytes[i] = p.parseInt(stringSlice(text, 2 * i, 2 * i + 2), 16);
        return bytes;
      },
      decode(bytes) {
        const parts = [];
        for (let i = 0; i < bytes.length; i++) arrayPush(parts, padStart(numberToString(bytes[i], 16), 2, '0'));
        return arrayJoin(parts, '');
      },
    },
    base64: { encode: fromBase64, decode: (bytes) => toBase64(bytes) },
    base64url: {
      encode: fromBase64,
      decode: (bytes) => stringReplace(stringReplace(stringReplace(toBase64(bytes), /\+/g, '-'), /\//g, '_'), /=/g, ''),
    },
  };
  codecs['utf-8'] = codecs.utf8;
  codecs.binary = codecs.latin1;
  codecs.ucs2 = codecs['ucs-2'] = codecs['utf-16le'] = codecs.utf16le;

  function toBase64(bytes) {
    const parts = [];
    for (let i = 0; i < bytes.length; i += 3) {
      const word = (bytes[i] << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
      const left = bytes.length - i;
      arrayPush(parts, DIGITS[word >> 18] + DIGITS[(word >> 12) & 63]
        + (left > 1 ? DIGITS[(word >> 6) & 63] : '=') + (left > 2 ? DIGITS[word & 63] : '='));
    }
    return arrayJoin(parts, '');
  }

  function fromBase64(text) {
    const bytes = [];
    let word = 0;
    let bits = 0;
    for (let i = 0; i < text.length; i++) {
      let digit = text[i];
      if (digit === '=') break;
      if (digit === '-') digit = '+';
      if (digit === '_') digit = '/';
      const value = p.stringIndexOf(DIGITS, digit);
      if (value < 0) continue;
      word = ((word << 6) | value) & 0xffffff;
      bits += 6;
      if (bits >= 8) {
        bits -= 8;
        arrayPush(bytes, (word >> bits) & 255);
      }
    }
    return new p.Uint8Array(bytes);
  }

  internal.codec = (name = 'utf8') => {
    const codec = codecs[p.toLowerCase(`${name ?? 'utf8'}`)];
    if (codec !== undefined) return codec;
    throw internal.nodeError(p.TypeError, 'ERR_UNKNOWN_ENCODING', `Unknown encoding: ${name}`);
  };
  internal.isEncoding = (name) => typeof name === 'string' && codecs[p.toLowerCase(name)] !== undefined;
  internal.utf8 = codecs.utf8;

  const bytesOf = (source) => {
    if (source === undefined) return new p.Uint8Array(0);
    if (p.typedArrayTag(source) !== undefined || internal.kindOf(source) === 'DataView') {
      return new p.Uint8Array(source.buffer, source.byteOffset, source.byteLength);
    }
    return new p.Uint8Array(source);
  };
  internal.bytesOf = bytesOf;

  internal.TextEncoder = class TextEncoder {
    get encoding() { return 'utf-8'; }
    encode(text = '') { return codecs.utf8.encode(`${text}`); }
    encodeInto(text, target) {
      const bytes = codecs.utf8.encode(`${text}`);
      const n = min(bytes.length, target.length);
      p.typedArraySet(target, typedArraySubarray(bytes, 0, n));
      return { read: codecs.utf8.decode(typedArraySubarray(bytes, 0, n)).length, written: n };
    }
  };
  internal.TextDecoder = class TextDecoder {
    #codec;
    #fatal;
    #keepsMark;
    constructor(label = 'utf-8', options = {}) {
      const name = p.toLowerCase(`${label}`);
      if (!internal.isEncoding(name)) throw new p.RangeError(`The "${label}" encoding is not supported`);
      this.#codec = codecs[name];
      this.#fatal = !!options.fatal;
      this.#keepsMark = !!options.ignoreBOM;
    }
    get encoding() { return this.#codec === codecs.utf16le ? 'utf-16le' : this.#codec === codecs.utf8 ? 'utf-8' : 'windows-1252'; }
    get fatal() { return this.#fatal; }
    get ignoreBOM() { return this.#keepsMark; }
    decode(source) {
      const bytes = bytesOf(source);
      const text = this.#codec.decode(bytes);
      if (this.#fatal && p.stringIncludes(text, '\ufffd') && codecs.utf8.encode(text).length !== bytes.length) {
        throw internal.nodeError(p.TypeError, 'ERR_ENCODING_INVALID_ENCODED_DATA', 'The encoded data was not valid for encoding utf-8');
      }
      return !this.#keepsMark && text[0] === '\ufeff' ? stringSlice(text, 1) : text;
    }
  };
})
