// Numbers, dates and comparisons in the words of a locale: English of the United States alone.
(function (internal) {
  'use strict';
  const p = internal.primordials;
  const { arrayJoin, arrayPush, defineProperty, max, min, numberToFixed, padStart, stringSlice, stringSplit } = p;
  const SYMBOLS = { USD: '$', EUR: '€', GBP: '£', JPY: '¥', INR: '₹', CNY: 'CN¥', KRW: '₩', BRL: 'R$', CAD: 'CA$', AUD: 'A$' };
  const UNITS = ['', 'K', 'M', 'B', 'T'];

  function grouped(digits) {
    const parts = [];
    for (let end = digits.length; end > 0; end -= 3) arrayPush(parts, stringSlice(digits, max(0, end - 3), end));
    parts.reverse();
    return arrayJoin(parts, ',');
  }

  // The digits of a finite number of at most `most` decimals, rounded half away from zero on its decimal text.
  function decimals(value, most) {
    let text = p.numberToString(value, 10);
    if (p.stringIncludes(text, 'e')) text = value >= 1e21 ? `${p.BigInt(value)}` : numberToFixed(value, min(100, most + 30));
    const [whole, fraction = ''] = stringSplit(text, '.');
    if (fraction.length <= most) return [whole, fraction];
    let digits = p.BigInt(whole + stringSlice(fraction, 0, most));
    if (fraction[most] >= '5') digits += 1n;
    const all = padStart(`${digits}`, most + 1, '0');
    return [stringSlice(all, 0, all.length - most), stringSlice(all, all.length - most)];
  }

  class NumberFormat {
    #options;
    constructor(locales, options = {}) {
      const { style = 'decimal', currency } = options;
      const isCurrency = style === 'currency';
      const usual = isCurrency ? (currency === 'JPY' || currency === 'KRW' ? 0 : 2) : 0;
      const least = options.minimumFractionDigits ?? min(usual, options.maximumFractionDigits ?? usual);
      const most = options.maximumFractionDigits ?? max(least, isCurrency ? usual : style === 'percent' ? 0 : 3);
      for (const digits of [least, most]) {
        if (!(digits >= 0 && digits <= 100) || least > most) throw new p.RangeError('maximumFractionDigits value is out of range.');
      }
      this.#options = { ...options, style, least, most };
      this.format = (value) => this.#format(value);
    }
    #format(value) {
      const { style, least, most, useGrouping = true, minimumIntegerDigits = 1, notation } = this.#options;
      if (typeof value !== 'bigint') value = +value;
      if (value !== value) return 'NaN';
      const isNegative = value < 0 || p.is(value, -0);
      let size = typeof value === 'bigint' ? value : isNegative ? -value : value;
      if (typeof size === 'bigint' && size < 0n) size = -size;
      let [whole, fraction] = ['∞', ''];
      let suffix = '';
      if (typeof size === 'bigint') {
        whole = `${size}`;
      } else if (size !== Infinity) {
        if (style === 'percent') size *= 100;
        if (notation === 'compact') {
          let unit = 0;
          while (size >= 1000 && unit < UNITS.length - 1) {
            size /= 1000;
            unit++;
          }
          suffix = UNITS[unit];
          [whole, fraction] = decimals(size, size < 10 && unit > 0 ? 1 : 0);
          fraction = fraction === '0' ? '' : fraction;
        } else if (this.#options.maximumSignificantDigits !== undefined || this.#options.minimumSignificantDigits !== undefined) {
          const digits = this.#options.maximumSignificantDigits ?? 21;
          [whole, fraction] = decimals(+size.toPrecision(digits), 100);
          const shown = whole === '0' ? fraction.replace(/^0+/, '').length : whole.length + fraction.length;
          fraction = p.padEnd(fraction, fraction.length + max(0, (this.#options.minimumSignificantDigits ?? 1) - shown), '0');
        } else {
          [whole, fraction] = decimals(size, most);
        }
      }
      while (fraction.length > least && fraction[fraction.length - 1] === '0' && this.#options.minimumSignificantDigits === undefined) {
        fraction = stringSlice(fraction, 0, -1);
      }
      if (whole !== '∞' && notation !== 'compact') fraction = p.padEnd(fraction, least, '0');
      whole = padStart(whole, minimumIntegerDigits, '0');
      let text = useGrouping && whole !== '∞' ? grouped(whole) : whole;
      if (fraction !== '') text += `.${fraction}`;
      text += suffix;
      if (style === 'percent') text += '%';
      if (style === 'currency') {
        const { currency, currencyDisplay } = this.#options;
        if (currency === undefined) throw new p.TypeError('Currency code is required with currency style.');
        text = currencyDisplay === 'code' ? `${currency}\u00a0${text}` : `${SYMBOLS[currency] ?? `${currency}\u00a0`}${text}`;
      }
      if (style === 'unit') text += ` ${this.#options.unit ?? ''}`;
      if (this.#options.signDisplay === 'always' && !isNegative) return `+${text}`;
      return isNegative && this.#options.signDisplay !== 'never' ? `-${text}` : text;
    }
    formatToParts(value) { return [{ type: 'literal', value: this.#format(value) }]; }
    resolvedOptions() { return { locale: 'en-US', numberingSystem: 'latn', ...this.#options }; }
    static supportedLocalesOf() { return ['en-US']; }
  }

  const WEEKDAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
  const MONTHS = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October',
    'November', 'December'];
  const STYLES = {
    date: {
      full: { weekday: 'long', year: 'numeric', month: 'long', day: 'numeric' }, long: { year: 'numeric', month: 'long', day: 'numeric' },
      medium: { year: 'numeric', month: 'short', day: 'numeric' }, short: { year: '2-digit', month: 'numeric', day: 'numeric' },
    },
    time: {
      full: { hour: 'numeric', minute: '2-digit', second: '2-digit' }, long: { hour: 'numeric', minute: '2-digit', second: '2-digit' },
      medium: { hour: 'numeric', minute: '2-digit', second: '2-digit' }, short: { hour: 'numeric', minute: '2-digit' },
    },
  };
  const two = (n) => padStart(`${n}`, 2, '0');

  // Dates in UTC, which is the only zone there is.
  class DateTimeFormat {
    #options;
    constructor(locales, options = {}, fallback = 'date') {
      const given = { ...options, ...STYLES.date[options.dateStyle], ...STYLES.time[options.timeStyle] };
      const has = (...names) => { for (const name of names) if (given[name] !== undefined) return true; return false; };
      const isBare = !has('weekday', 'year', 'month', 'day', 'hour', 'minute', 'second', 'dayPeriod', 'fractionalSecondDigits');
      if (isBare && fallback !== 'time') p.assign(given, { year: 'numeric', month: 'numeric', day: 'numeric' });
      if (isBare && fallback !== 'date') p.assign(given, { hour: 'numeric', minute: '2-digit', second: '2-digit' });
      this.#options = given;
      this.format = (date) => this.#format(date === undefined ? new p.Date() : new p.Date(date));
    }
    #format(date) {
      if (date.getTime() !== date.getTime()) throw new p.RangeError('Invalid time value');
      const o = this.#options;
      const year = o.year && (o.year === '2-digit' ? two(date.getUTCFullYear() % 100) : `${date.getUTCFullYear()}`);
      const day = o.day && (o.day === '2-digit' ? two(date.getUTCDate()) : `${date.getUTCDate()}`);
      const name = MONTHS[date.getUTCMonth()];
      const isWord = o.month === 'long' || o.month === 'short';
      const month = o.month && (isWord ? (o.month === 'long' ? name : stringSlice(name, 0, 3))
        : o.month === '2-digit' ? two(date.getUTCMonth() + 1) : `${date.getUTCMonth() + 1}`);
      const full = WEEKDAYS[date.getUTCDay()];
      const weekday = o.weekday && (o.weekday === 'long' ? full : stringSlice(full, 0, o.weekday === 'short' ? 3 : 1));
      const kept = (list, separator) => arrayJoin(list.filter((part) => part), separator);
      const dateText = isWord
        ? kept([weekday, kept([kept([month, day], ' '), year], day ? ', ' : ' ')], ', ')
        : kept([weekday, kept([month, day, year], '/')], ', ');
      const timeText = this.#time(date);
      return kept([dateText, timeText], o.dateStyle === 'full' || o.dateStyle === 'long' ? ' at ' : ', ');
    }
    #time(date) {
      const o = this.#options;
      if (!o.hour && !o.minute && !o.second) return '';
      const isTwelve = o.hour12 ?? (o.hourCycle === undefined || o.hourCycle === 'h12');
      const hours = date.getUTCHours();
      const shown = isTwelve ? hours % 12 || 12 : hours;
      const hour = o.hour && (o.hour === '2-digit' || !isTwelve ? two(shown) : `${shown}`);
      const rest = [o.minute && two(date.getUTCMinutes()), o.second && two(date.getUTCSeconds())].filter((part) => part);
      const text = arrayJoin([hour, ...rest].filter((part) => part), ':');
      return text + (o.hour && isTwelve ? ` ${hours < 12 ? 'AM' : 'PM'}` : '')
        + (o.timeZoneName || o.timeStyle === 'full' || o.timeStyle === 'long' ? ' UTC' : '');
    }
    formatToParts(date) { return [{ type: 'literal', value: this.format(date) }]; }
    resolvedOptions() { return { locale: 'en-US', calendar: 'gregory', numberingSystem: 'latn', timeZone: 'UTC' }; }
    static supportedLocalesOf() { return ['en-US']; }
  }

  // Letters before their accents, accents before case, small before large, as collation tables have it.
  const sortKey = (text) => {
    const base = text.normalize('NFD').replace(/[\u0300-\u036f]/g, '').toLowerCase();
    let key = '';
    for (const character of base) key += /[a-z]/.test(character) ? `3${character}` : /[0-9]/.test(character) ? `2${character}`
      : /\s/.test(character) ? `0${character}` : p.codePointAt(character, 0) < 128 ? `1${ORDER.indexOf(character) < 0 ? character
        : p.fromCharCode(40 + ORDER.indexOf(character))}` : `4${character}`;
    return key;
  };
  const ORDER = '_-,;:!?.\'"()[]{}@*/\\&#%`^+<=>|~$';
  const order = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
  const swapCase = (text) => text.replace(/[a-zA-Z]/g, (c) => (c === c.toLowerCase() ? c.toUpperCase() : c.toLowerCase()));
  function collate(a, b, options) {
    if (a === b) return 0;
    if (options?.numeric) {
      const left = a.match(/\d+|\D+/g) ?? [];
      const right = b.match(/\d+|\D+/g) ?? [];
      for (let i = 0; i < min(left.length, right.length); i++) {
        const isNumber = /^\d/.test(left[i]) && /^\d/.test(right[i]);
        const result = isNumber ? order(p.BigInt(left[i]), p.BigInt(right[i])) : collate(left[i], right[i], { ...options, numeric: false });
        if (result !== 0) return result;
      }
      return order(left.length, right.length);
    }
    const result = order(sortKey(a), sortKey(b));
    if (result !== 0 || options?.sensitivity === 'base') return result;
    const accents = order(a.normalize('NFD').toLowerCase(), b.normalize('NFD').toLowerCase());
    if (accents !== 0 || options?.sensitivity === 'accent') return accents;
    return options?.caseFirst === 'upper' ? order(a, b) : order(swapCase(a), swapCase(b));
  }
  class Collator {
    constructor(locales, options) { this.compare = (a, b) => collate(`${a}`, `${b}`, options); }
    resolvedOptions() { return { locale: 'en-US' }; }
  }
  class PluralRules {
    #isOrdinal;
    constructor(locales, options) { this.#isOrdinal = options?.type === 'ordinal'; }
    select(n) {
      if (!this.#isOrdinal) return n === 1 ? 'one' : 'other';
      const [ten, hundred] = [n % 10, n % 100];
      return ten === 1 && hundred !== 11 ? 'one' : ten === 2 && hundred !== 12 ? 'two' : ten === 3 && hundred !== 13 ? 'few' : 'other';
    }
  }
  class ListFormat {
    #word;
    constructor(locales, options) { this.#word = options?.type === 'disjunction' ? 'or' : 'and'; }
    format(list) {
      const all = [...list];
      if (all.length < 3) return arrayJoin(all, ` ${this.#word} `);
      return `${arrayJoin(p.arraySlice(all, 0, -1), ', ')}, ${this.#word} ${all[all.length - 1]}`;
    }
  }
  class Segmenter {
    #isWord;
    constructor(locales, options) { this.#isWord = options?.granularity === 'word'; }
    segment(text) {
      const pattern = this.#isWord ? /[\p{L}\p{N}_']+|\s+|[^\p{L}\p{N}_'\s]/gu : /\p{RI}\p{RI}|\p{Emoji}(?:\p{EMod}|\ufe0f|\u200d\p{Emoji})*|\P{M}\p{M}*/gu;
      return [...text.matchAll(pattern)].map((m) => ({ segment: m[0], index: m.index, input: text, isWordLike: /[\p{L}\p{N}]/u.test(m[0]) }));
    }
  }

  const callable = (Class) => {
    const result = function (...args) { return p.construct(Class, args, new.target === undefined ? Class : new.target); };
    defineProperty(result, 'name', { value: Class.name });
    result.prototype = Class.prototype;
    result.supportedLocalesOf = () => ['en-US'];
    return result;
  };
  internal.Intl = {
    NumberFormat: callable(NumberFormat), DateTimeFormat: callable(DateTimeFormat), Collator: callable(Collator),
    PluralRules, ListFormat, Segmenter, getCanonicalLocales: (l) => (l === undefined ? [] : [].concat(l)),
  };
  defineProperty(internal.Intl, p.toStringTag, { value: 'Intl', configurable: true });

  const method = (prototype, name, value) => {
    defineProperty(prototype, name, { value: { [name]: value }[name], writable: true, configurable: true, enumerable: false });
  };
  method(Number.prototype, 'toLocaleString', function (locales, options) {
    return new NumberFormat(locales, options).format(p.numberValueOf(this));
  });
  method(BigInt.prototype, 'toLocaleString', function (locales, options) {
    return new NumberFormat(locales, options).format(p.bigintValueOf(this));
  });
  const dateText = (fallback) => function (locales, options) {
    const time = p.dateGetTime(this);
    return time !== time ? 'Invalid Date' : new DateTimeFormat(locales, options, fallback).format(time);
  };
  method(Date.prototype, 'toLocaleDateString', dateText('date'));
  method(Date.prototype, 'toLocaleTimeString', dateText('time'));
  method(Date.prototype, 'toLocaleString', dateText('both'));
  // The engine leaves out what Node says of the zone.
  for (const name of ['toString', 'toTimeString']) {
    const engines = p.uncurry(Date.prototype[name]);
    method(Date.prototype, name, function () {
      const text = engines(this);
      return p.stringEndsWith(text, '+0000') ? `${text} (Coordinated Universal Time)` : text;
    });
  }
  method(String.prototype, 'localeCompare', function (other, locales, options) {
    return collate(`${this}`, `${other}`, options);
  });
})
