// How the entries of an inspected value are put on lines.
(function (internal) {
  'use strict';
  const { arrayJoin, arrayPush, floor, max, min, padEnd, padStart, repeat, round, sqrt, stringIncludes } =
    internal.primordials;
  const { ARRAY } = internal.layout;
  // Node's taste: a character is about two and a half times as high as wide, and no more columns than this.
  const CHARACTER_HEIGHT = 2.5;
  const MOST_COLUMNS = 15;

  // Many short items of an array are put in columns.
  function group(context, output, value) {
    const hasRest = output.length > context.maxArrayLength;
    const n = hasRest ? output.length - 1 : output.length;
    let total = 0;
    let longest = 0;
    for (let i = 0; i < n; i++) {
      total += output[i].length + 2;
      longest = max(longest, output[i].length);
    }
    const width = longest + 2;
    if (width * 3 + context.indentation >= context.breakLength || !(total / width > 5 || longest <= 6)) return output;
    const biased = max(width - 3 - sqrt(width - total / output.length), 1);
    const columns = min(
      round(sqrt(CHARACTER_HEIGHT * biased * n) / biased),
      floor((context.breakLength - context.indentation) / width),
      context.compact * 4,
      MOST_COLUMNS,
    );
    if (columns <= 1) return output;
    const widths = [];
    for (let i = 0; i < columns; i++) {
      let widest = 0;
      for (let j = i; j < n; j += columns) widest = max(widest, output[j].length);
      arrayPush(widths, widest + 2);
    }
    let pad = padStart;
    if (value !== undefined) {
      for (let i = 0; i < output.length; i++) {
        if (typeof value[i] !== 'number' && typeof value[i] !== 'bigint') {
          pad = padEnd;
          break;
        }
      }
    }
    const lines = [];
    for (let i = 0; i < n; i += columns) {
      const end = min(i + columns, n);
      let line = '';
      for (let j = i; j < end - 1; j++) line += pad(`${output[j]}, `, widths[j - i], ' ');
      const last = output[end - 1];
      line += pad === padStart ? padStart(last, widths[end - 1 - i] - 2, ' ') : last;
      arrayPush(lines, line);
    }
    if (hasRest) arrayPush(lines, output[n]);
    return lines;
  }

  function fits(context, output, start, base) {
    let total = output.length + start;
    if (total + output.length > context.breakLength) return false;
    for (let i = 0; i < output.length; i++) {
      total += output[i].length;
      if (total > context.breakLength) return false;
    }
    return base === '' || !stringIncludes(base, '\n');
  }

  // The entries of one value as one text. `depth` is how deep the value stands.
  internal.reduce = (context, output, shape, depth, value) => {
    const { base, open, close } = shape;
    if (context.compact === true) {
      if (fits(context, output, 0, base)) {
        return `${open}${base === '' ? '' : ` ${base}`} ${arrayJoin(output, ', ')} ${close}`;
      }
      const indent = `\n${repeat(' ', context.indentation)}`;
      const line = base === '' && open.length === 1 ? ' ' : `${base === '' ? '' : ` ${base}`}${indent}  `;
      return `${open}${line}${arrayJoin(output, `,${indent}  `)} ${close}`;
    }
    const before = base === '' ? '' : `${base} `;
    if (typeof context.compact === 'number' && context.compact >= 1) {
      const n = output.length;
      if (shape.layout === ARRAY && n > 6) output = group(context, output, value);
      if (context.innermost - depth < context.compact && n === output.length) {
        const start = output.length + context.indentation + open.length + base.length + 10;
        if (fits(context, output, start, base)) {
          const joined = arrayJoin(output, ', ');
          if (!stringIncludes(joined, '\n')) return `${before}${open} ${joined} ${close}`;
        }
      }
    }
    const indent = `\n${repeat(' ', context.indentation)}`;
    return `${before}${open}${indent}  ${arrayJoin(output, `,${indent}  `)}${indent}${close}`;
  };
})
