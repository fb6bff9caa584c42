// `URL` and `URLSearchParams`, for addresses with an authority.
(function (internal) {
  'use strict';
  const p = internal.primordials;
  const { arrayJoin, arrayPush, stringIndexOf, stringSlice, stringSplit } = p;
  const PORTS = { 'http:': '80', 'https:': '443', 'ftp:': '21', 'ws:': '80', 'wss:': '443' };
  const decode = (text) => {
    try {
      return p.decodeURIComponent(text);
    } catch {
      return text;
    }
  };
  const formEncode = (text) => p.stringReplace(p.stringReplace(p.encodeURIComponent(text), /[!'()~]/g,
    (c) => `%${p.numberToString(p.charCodeAt(c, 0), 16).toUpperCase()}`), /%20/g, '+');

  class URLSearchParams {
    #list = [];
    #changed;
    constructor(source = '', changed = () => {}) {
      this.#changed = changed;
      if (source !== null && typeof source === 'object') {
        const pairs = typeof source[p.iterator] === 'function' ? source : p.entries(source);
        for (const [name, value] of pairs) arrayPush(this.#list, [`${name}`, `${value}`]);
        return;
      }
      const text = `${source}`;
      for (const part of stringSplit(text[0] === '?' ? stringSlice(text, 1) : text, '&')) {
        if (part === '') continue;
        const at = stringIndexOf(part, '=');
        const plus = (piece) => decode(p.stringReplace(piece, /\+/g, ' '));
        arrayPush(this.#list, at < 0 ? [plus(part), ''] : [plus(stringSlice(part, 0, at)), plus(stringSlice(part, at + 1))]);
      }
    }
    get size() { return this.#list.length; }
    append(name, value) { arrayPush(this.#list, [`${name}`, `${value}`]); this.#changed(); }
    delete(name) { this.#list = this.#list.filter((pair) => pair[0] !== name); this.#changed(); }
    get(name) { return this.#list.find((pair) => pair[0] === name)?.[1] ?? null; }
    getAll(name) { return this.#list.filter((pair) => pair[0] === name).map((pair) => pair[1]); }
    has(name) { return this.#list.some((pair) => pair[0] === name); }
    set(name, value) {
      const first = this.#list.findIndex((pair) => pair[0] === name);
      if (first < 0) {
        this.append(name, value);
        return;
      }
      this.#list = this.#list.filter((pair, i) => i <= first || pair[0] !== name);
      this.#list[first] = [`${name}`, `${value}`];
      this.#changed();
    }
    sort() { this.#list.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0)); this.#changed(); }
    forEach(callback, self) { for (const [name, value] of this.#list) callback.call(self, value, name, this); }
    keys() { return this.#list.map((pair) => pair[0])[p.iterator](); }
    values() { return this.#list.map((pair) => pair[1])[p.iterator](); }
    entries() { return this.#list.map((pair) => [...pair])[p.iterator](); }
    [p.iterator]() { return this.entries(); }
    toString() {
      return arrayJoin(this.#list.map(([name, value]) => `${formEncode(name)}=${formEncode(value)}`), '&');
    }
    [internal.inspect.custom](depth, options) {
      if (this.#list.length === 0) return 'URLSearchParams {}';
      return `URLSearchParams { ${arrayJoin(this.#list.map((pair) => `${internal.inspect(pair[0], options)} => ${internal.inspect(pair[1], options)}`), ', ')} }`;
    }
  }

  const PATTERN = /^([a-zA-Z][a-zA-Z0-9+.-]*:)(?:\/\/(?:([^/?#@:]*)(?::([^/?#@]*))?@)?(\[[^\]]*\]|[^/?#:]*)(?::(\d*))?)?([^?#]*)(\?[^#]*)?(#.*)?$/s;
  const encodePath = (text) => p.stringReplace(text, /[^\x21\x24-\x3b\x3d\x40-\x5f\x61-\x7a\x7c\x7e%]/gu, (c) => p.encodeURIComponent(c));
  const encodeQuery = (text) => p.stringReplace(text, /[\s"<>'\u0080-\u{10ffff}]/gu, (c) => p.encodeURIComponent(c).replace("'", '%27'));

  class URL {
    #parts;
    #params;
    constructor(text, base) {
      text = `${text}`.trim();
      let match = PATTERN.exec(text);
      if (match === null && base !== undefined) {
        const from = new URL(base);
        let path = text;
        if (text.startsWith('//')) path = from.protocol + text;
        else if (text.startsWith('/')) path = `${from.origin}${text}`;
        else if (text.startsWith('?')) path = `${from.origin}${from.pathname}${text}`;
        else if (text.startsWith('#') || text === '') path = `${from.origin}${from.pathname}${from.search}${text}`;
        else path = `${from.origin}${from.pathname.replace(/[^/]*$/, '')}${text}`;
        match = PATTERN.exec(path);
      }
      const isSpecial = match !== null && PORTS[match[1].toLowerCase()] !== undefined;
      if (match === null || (isSpecial && !match[4])) {
        const error = internal.nodeError(p.TypeError, 'ERR_INVALID_URL', 'Invalid URL');
        error.input = text;
        throw error;
      }
      const [, protocol, username = '', password = '', host = '', port = '', path, search = '', hash = ''] = match;
      const kept = [];
      const steps = path.split('/');
      for (let i = 0; i < steps.length; i++) {
        if (steps[i] === '..') { if (kept.length > 1) kept.pop(); if (i === steps.length - 1) kept.push(''); }
        else if (steps[i] !== '.') kept.push(steps[i]);
        else if (i === steps.length - 1) kept.push('');
      }
      this.#parts = {
        protocol: protocol.toLowerCase(), username, password, hostname: isSpecial ? host.toLowerCase() : host,
        port: port === PORTS[protocol.toLowerCase()] ? '' : port,
        pathname: encodePath((isSpecial ? kept.join('/') : path) || (isSpecial ? '/' : '')),
        search: search === '?' ? '' : encodeQuery(search), hash: hash === '#' || hash === '' ? '' : `#${encodePath(stringSlice(hash, 1))}`,
      };
      this.#params = this.#newParams();
    }
    #newParams() {
      const params = new URLSearchParams(this.#parts.search, () => {
        const query = params.toString();
        this.#parts.search = query === '' ? '' : `?${query}`;
      });
      return params;
    }
    static canParse(text, base) {
      try {
        return new URL(text, base) !== undefined;
      } catch {
        return false;
      }
    }
    get protocol() { return this.#parts.protocol; }
    get username() { return this.#parts.username; }
    get password() { return this.#parts.password; }
    get hostname() { return this.#parts.hostname; }
    get port() { return this.#parts.port; }
    get pathname() { return this.#parts.pathname; }
    get search() { return this.#parts.search; }
    get hash() { return this.#parts.hash; }
    get searchParams() { return this.#params; }
    get host() { return this.port === '' ? this.hostname : `${this.hostname}:${this.port}`; }
    get origin() { return PORTS[this.protocol] === undefined ? 'null' : `${this.protocol}//${this.host}`; }
    get href() {
      const user = this.username === '' ? '' : `${this.username}${this.password === '' ? '' : `:${this.password}`}@`;
      const authority = this.hostname === '' && PORTS[this.protocol] === undefined && this.protocol !== 'file:' ? '' : `//${user}${this.host}`;
      return `${this.protocol}${authority}${this.pathname}${this.search}${this.hash}`;
    }
    set protocol(value) { this.#parts.protocol = `${value}`.replace(/:?$/, ':'); }
    set username(value) { this.#parts.username = `${value}`; }
    set password(value) { this.#parts.password = `${value}`; }
    set hostname(value) { this.#parts.hostname = `${value}`; }
    set host(value) { [this.#parts.hostname, this.#parts.port = ''] = `${value}`.split(':'); }
    set port(value) { this.#parts.port = `${value}`; }
    set pathname(value) { this.#parts.pathname = encodePath(`/${`${value}`.replace(/^\//, '')}`); }
    set search(value) {
      this.#parts.search = `${value}` === '' ? '' : encodeQuery(`?${`${value}`.replace(/^\?/, '')}`);
      this.#params = this.#newParams();
    }
    set hash(value) { this.#parts.hash = `${value}` === '' ? '' : `#${`${value}`.replace(/^#/, '')}`; }
    toString() { return this.href; }
    toJSON() { return this.href; }
    [internal.inspect.custom](depth, options) {
      const shown = {};
      for (const name of ['href', 'origin', 'protocol', 'username', 'password', 'host', 'hostname', 'port', 'pathname',
        'search', 'searchParams', 'hash']) shown[name] = this[name];
      return `URL ${internal.inspect(shown, options)}`;
    }
  }

  internal.URL = URL;
  internal.URLSearchParams = URLSearchParams;
  internal.url = {
    URL, URLSearchParams,
    parse(text, parsesQuery) {
      const match = /^([a-zA-Z][a-zA-Z0-9+.-]*:)?(?:\/\/(?:([^/?#@]*)@)?([^/?#:]*)(?::(\d+))?)?([^?#]*)(\?[^#]*)?(#.*)?$/s.exec(text);
      const [, protocol = null, auth = null, hostname = null, port = null, pathname, search = null, hash = null] = match;
      return {
        protocol, slashes: hostname === null ? null : true, auth, host: hostname === null ? null : port ? `${hostname}:${port}` : hostname,
        port, hostname, hash, search, query: parsesQuery ? internal.querystring.parse(stringSlice(search ?? '?', 1)) : search && stringSlice(search, 1),
        pathname: pathname || null, path: `${pathname}${search ?? ''}` || null, href: text,
      };
    },
    format: (value) => (typeof value === 'string' ? value : value.href),
    fileURLToPath: (value) => decode(`${value.href ?? value}`.replace(/^file:\/\//, '')),
    pathToFileURL: (path) => new URL(`file://${internal.path.resolve(path)}`),
  };
  internal.querystring = {
    parse(text) {
      const result = { __proto__: null };
      for (const [name, value] of new URLSearchParams(text)) {
        result[name] = result[name] === undefined ? value : [].concat(result[name], value);
      }
      return result;
    },
    stringify: (object) => arrayJoin(p.entries(object).flatMap(([name, value]) => [].concat(value)
      .map((one) => `${p.encodeURIComponent(name)}=${p.encodeURIComponent(one)}`)), '&'),
    escape: p.encodeURIComponent, unescape: decode,
  };
})
