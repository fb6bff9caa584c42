// Text in quotes, as `util.inspect` shows it.
(function (internal) {
  'use strict';
  const { charCodeAt, numberToString, stringIncludes, stringSlice, test } = internal.primordials;

  const CONTROLS = /[\x00-\x1f\x27\x5c\x7f-\x9f\ud800-\udfff]/;
  const NAMED = { 8: '\\b', 9: '\\t', 10: '\\n', 12: '\\f', 13: '\\r', 39: "\\'", 92: '\\\\' };
  const hex = (code) => {
    const digits = numberToString(code, 16);
    return code < 16 ? `\\x0${digits.toUpperCase()}` : code < 256 ? `\\x${digits.toUpperCase()}` : `\\u${digits}`;
  };

  // The escaped text without quotes. `quote` is the code of the quotation mark that has to be escaped, or -1.
  const escapeText = (text, quote) => {
    let result = '';
    let last = 0;
    for (let i = 0; i < text.length; i++) {
      const code = charCodeAt(text, i);
      if (code >= 0xd800 && code <= 0xdfff) {
        const next = code < 0xdc00 && i + 1 < text.length ? charCodeAt(text, i + 1) : 0;
        if (next >= 0xdc00 && next <= 0xdfff) {
          i++;
          continue;
        }
      } else if (code !== quote && code !== 92 && code >= 32 && (code < 127 || code > 159)) {
        continue;
      }
      result += stringSlice(text, last, i) + (NAMED[code] ?? hex(code));
      last = i + 1;
    }
    return last === 0 ? text : result + stringSlice(text, last);
  };

  internal.escapeText = escapeText;
  // Single quotes, unless the text has some and double quotes or backticks fit better.
  internal.quote = (text) => {
    let mark = "'";
    let code = 39;
    if (stringIncludes(text, "'")) {
      if (!stringIncludes(text, '"')) mark = '"';
      else if (!stringIncludes(text, '`') && !stringIncludes(text, '${')) mark = '`';
      if (mark !== "'") code = -1;
    }
    return mark + (test(CONTROLS, text) ? escapeText(text, code) : text) + mark;
  };
})
