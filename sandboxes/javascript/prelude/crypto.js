// The module `crypto`: random numbers that are not secret, and the common digests.
(function (internal) {
  'use strict';
  const p = internal.primordials;
  const { floor, numberToString, padStart } = p;
  const random = Math.random;

  const rotate = (x, n) => (x << n) | (x >>> (32 - n));
  // A message with its end marked and its length behind it, in words.
  function blocks(bytes, isLittle) {
    const n = ((bytes.length + 8) >> 6) + 1;
    const padded = new p.Uint8Array(n * 64);
    p.typedArraySet(padded, bytes);
    padded[bytes.length] = 0x80;
    const view = new p.DataView(padded.buffer);
    view.setUint32(n * 64 - (isLittle ? 8 : 4), bytes.length * 8, isLittle);
    view.setUint32(n * 64 - (isLittle ? 4 : 8), floor(bytes.length / 0x20000000), isLittle);
    return { n, view };
  }
  function output(words, isLittle) {
    const bytes = new p.Uint8Array(words.length * 4);
    const view = new p.DataView(bytes.buffer);
    for (let i = 0; i < words.length; i++) view.setUint32(4 * i, words[i] >>> 0, isLittle);
    return bytes;
  }

  const primes = [];
  for (let n = 2; primes.length < 64; n++) if (primes.every((q) => n % q !== 0)) primes.push(n);
  const fraction = (x) => ((x - floor(x)) * 0x100000000) | 0;
  const ROUND = primes.map((q) => fraction(q ** (1 / 3)));
  const START = primes.slice(0, 8).map((q) => fraction(q ** 0.5));
  const SINES = Array.from({ length: 64 }, (_, i) => (Math.abs(Math.sin(i + 1)) * 0x100000000) | 0);
  const SHIFTS = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];

  function sha256(message) {
    const { n, view } = blocks(message, false);
    const state = [...START];
    const w = new Int32Array(64);
    for (let block = 0; block < n; block++) {
      for (let i = 0; i < 16; i++) w[i] = view.getInt32(block * 64 + i * 4);
      for (let i = 16; i < 64; i++) {
        const a = rotate(w[i - 15], 25) ^ rotate(w[i - 15], 14) ^ (w[i - 15] >>> 3);
        const b = rotate(w[i - 2], 15) ^ rotate(w[i - 2], 13) ^ (w[i - 2] >>> 10);
        w[i] = w[i - 16] + a + w[i - 7] + b;
      }
      let [a, b, c, d, e, f, g, h] = state;
      for (let i = 0; i < 64; i++) {
        const t = (h + (rotate(e, 26) ^ rotate(e, 21) ^ rotate(e, 7)) + ((e & f) ^ (~e & g)) + ROUND[i] + w[i]) | 0;
        const u = ((rotate(a, 30) ^ rotate(a, 19) ^ rotate(a, 10)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
        [h, g, f, e, d, c, b, a] = [g, f, e, (d + t) | 0, c, b, a, (t + u) | 0];
      }
      [a, b, c, d, e, f, g, h].forEach((x, i) => { state[i] = (state[i] + x) | 0; });
    }
    return output(state, false);
  }

  function sha1(message) {
    const { n, view } = blocks(message, false);
    const state = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0];
    const w = new Int32Array(80);
    for (let block = 0; block < n; block++) {
      for (let i = 0; i < 16; i++) w[i] = view.getInt32(block * 64 + i * 4);
      for (let i = 16; i < 80; i++) w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
      let [a, b, c, d, e] = state;
      for (let i = 0; i < 80; i++) {
        const f = i < 20 ? (b & c) | (~b & d) : i < 40 || i >= 60 ? b ^ c ^ d : (b & c) | (b & d) | (c & d);
        const k = [0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6][floor(i / 20)];
        [e, d, c, b, a] = [d, c, rotate(b, 30), a, (rotate(a, 5) + f + e + k + w[i]) | 0];
      }
      [a, b, c, d, e].forEach((x, i) => { state[i] = (state[i] + x) | 0; });
    }
    return output(state, false);
  }

  function md5(message) {
    const { n, view } = blocks(message, true);
    const state = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476];
    for (let block = 0; block < n; block++) {
      let [a, b, c, d] = state;
      for (let i = 0; i < 64; i++) {
        const round = i >> 4;
        const f = [(b & c) | (~b & d), (d & b) | (~d & c), b ^ c ^ d, c ^ (b | ~d)][round];
        const at = [i, 5 * i + 1, 3 * i + 5, 7 * i][round] & 15;
        const sum = (a + f + SINES[i] + view.getInt32(block * 64 + at * 4, true)) | 0;
        [a, d, c, b] = [d, c, b, (b + rotate(sum, SHIFTS[round][i & 3])) | 0];
      }
      [a, b, c, d].forEach((x, i) => { state[i] = (state[i] + x) | 0; });
    }
    return output(state, true);
  }

  const digests = { __proto__: null, md5, sha1, sha256 };
  const find = (name) => {
    const digest = digests[p.toLowerCase(`${name}`).replace('-', '')];
    if (digest === undefined) throw internal.nodeError(p.Error, 'ERR_CRYPTO_INVALID_DIGEST', 'Digest method not supported');
    return digest;
  };
  const encoded = (bytes, encoding) => {
    const buffer = internal.toBuffer(bytes);
    return encoding === undefined || encoding === 'buffer' ? buffer : buffer.toString(encoding);
  };
  class Hash {
    #digest;
    #parts = [];
    constructor(name) { this.#digest = find(name); }
    update(data, encoding) { this.#parts.push(internal.Buffer.from(data, encoding)); return this; }
    digest(encoding) { return encoded(this.#digest(internal.Buffer.concat(this.#parts)), encoding); }
  }
  class Hmac {
    #digest;
    #key;
    #parts = [];
    constructor(name, key) {
      this.#digest = find(name);
      let bytes = internal.Buffer.from(key);
      if (bytes.length > 64) bytes = this.#digest(bytes);
      this.#key = new p.Uint8Array(64);
      p.typedArraySet(this.#key, bytes);
    }
    update(data, encoding) { this.#parts.push(internal.Buffer.from(data, encoding)); return this; }
    digest(encoding) {
      const mixed = (byte) => this.#key.map((x) => x ^ byte);
      const inner = this.#digest(internal.Buffer.concat([mixed(0x36), ...this.#parts]));
      return encoded(this.#digest(internal.Buffer.concat([mixed(0x5c), inner])), encoding);
    }
  }
  const fill = (bytes) => {
    for (let i = 0; i < bytes.length; i++) bytes[i] = floor(random() * 256);
    return bytes;
  };
  const crypto = {
    createHash: (name) => new Hash(name),
    createHmac: (name, key) => new Hmac(name, key),
    getHashes: () => p.keys(digests),
    randomBytes: (n) => internal.toBuffer(fill(new p.Uint8Array(n))),
    randomInt(low, high) {
      if (high === undefined || typeof high === 'function') [low, high] = [0, low];
      return low + floor(random() * (high - low));
    },
    randomUUID() {
      const bytes = fill(new p.Uint8Array(16));
      bytes[6] = (bytes[6] & 15) | 64;
      bytes[8] = (bytes[8] & 63) | 128;
      let text = '';
      for (let i = 0; i < 16; i++) {
        text += (i === 4 || i === 6 || i === 8 || i === 10 ? '-' : '') + padStart(numberToString(bytes[i], 16), 2, '0');
      }
      return text;
    },
    getRandomValues(array) {
      fill(internal.bytesOf(array));
      return array;
    },
    timingSafeEqual: (a, b) => internal.Buffer.from(a).equals(b),
  };
  crypto.webcrypto = { getRandomValues: crypto.getRandomValues, randomUUID: crypto.randomUUID };
  internal.crypto = crypto;
})
