// The module `path`, in its POSIX form.
(function (internal) {
  'use strict';
  const p = internal.primordials;
  const { arrayJoin, arrayPush, stringEndsWith, stringLastIndexOf, stringSlice, stringSplit, stringStartsWith } = p;
  const check = (path, name = 'path') => {
    if (typeof path === 'string') return path;
    throw internal.nodeError(p.TypeError, 'ERR_INVALID_ARG_TYPE',
      `The "${name}" argument must be of type string. Received ${internal.received(path)}`);
  };
  function parts(path, isAbsolute) {
    const kept = [];
    for (const part of stringSplit(path, '/')) {
      if (part === '' || part === '.') continue;
      if (part !== '..') arrayPush(kept, part);
      else if (kept.length > 0 && kept[kept.length - 1] !== '..') kept.length -= 1;
      else if (!isAbsolute) arrayPush(kept, '..');
    }
    return kept;
  }
  const withoutSlashes = (path) => {
    let end = path.length;
    while (end > 1 && path[end - 1] === '/') end--;
    return stringSlice(path, 0, end);
  };
  const path = {
    sep: '/', delimiter: ':',
    isAbsolute: (value) => stringStartsWith(check(value), '/'),
    normalize(value) {
      if (check(value) === '') return '.';
      const isAbsolute = stringStartsWith(value, '/');
      let text = arrayJoin(parts(value, isAbsolute), '/');
      if (text === '' && !isAbsolute) text = '.';
      if (text !== '' && stringEndsWith(value, '/')) text += '/';
      return isAbsolute ? `/${text}` : text;
    },
    join(...all) {
      const kept = [];
      for (const part of all) if (check(part) !== '') arrayPush(kept, part);
      return kept.length === 0 ? '.' : path.normalize(arrayJoin(kept, '/'));
    },
    resolve(...all) {
      let result = '';
      for (let i = all.length - 1; i >= 0 && !stringStartsWith(result, '/'); i--) {
        if (check(all[i]) !== '') result = `${all[i]}/${result}`;
      }
      return `/${arrayJoin(parts(stringStartsWith(result, '/') ? result : `/${result}`, true), '/')}`;
    },
    relative(from, to) {
      const a = parts(path.resolve(from), true);
      const b = parts(path.resolve(to), true);
      let same = 0;
      while (same < a.length && same < b.length && a[same] === b[same]) same++;
      const result = [];
      for (let i = same; i < a.length; i++) arrayPush(result, '..');
      for (let i = same; i < b.length; i++) arrayPush(result, b[i]);
      return arrayJoin(result, '/');
    },
    dirname(value) {
      const text = withoutSlashes(check(value));
      const at = stringLastIndexOf(text, '/');
      return at < 0 ? '.' : at === 0 ? '/' : withoutSlashes(stringSlice(text, 0, at));
    },
    basename(value, suffix) {
      const text = withoutSlashes(check(value));
      const name = stringSlice(text, stringLastIndexOf(text, '/') + 1);
      return suffix !== undefined && name !== suffix && stringEndsWith(name, suffix)
        ? stringSlice(name, 0, name.length - suffix.length) : name;
    },
    extname(value) {
      const name = path.basename(value);
      const at = stringLastIndexOf(name, '.');
      return at <= 0 || name === '..' ? '' : stringSlice(name, at);
    },
    parse(value) {
      const base = path.basename(value);
      const ext = path.extname(value);
      const root = stringStartsWith(value, '/') ? '/' : '';
      const at = stringLastIndexOf(withoutSlashes(value), '/');
      return { root, dir: at < 0 ? '' : at === 0 ? '/' : stringSlice(value, 0, at), base, ext, name: path.basename(base, ext) };
    },
    format(object) {
      const dir = object.dir || object.root;
      const base = object.base || `${object.name || ''}${object.ext ? (object.ext[0] === '.' ? '' : '.') + object.ext : ''}`;
      return !dir ? base : dir === object.root ? `${dir}${base}` : `${dir}/${base}`;
    },
    toNamespacedPath: (value) => value,
  };
  path.posix = path;
  internal.path = path;
})
