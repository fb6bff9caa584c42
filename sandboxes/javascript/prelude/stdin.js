// Standard input, as text and as bytes.
(function (internal) {
  'use strict';
  const p = internal.primordials;
  let text = '';
  let bytes;

  // The host gives it as text; what is not valid UTF-8 is known only when its bytes are asked for.
  internal.setStdin = (given) => { text = given; };
  internal.stdinText = () => text;
  internal.stdinBuffer = () => {
    if (bytes === undefined) bytes = internal.readAll(internal.host.op.readFile, '/dev/stdin');
    const copy = new p.Uint8Array(bytes.length);
    p.typedArraySet(copy, bytes);
    return internal.toBuffer(copy);
  };

  // All bytes of a file, in pieces as large as the transfer buffer. A negative number is what went wrong.
  internal.readAll = (code, path) => {
    const { answers, host } = internal;
    const size = host.text(code, path, 0);
    if (size < 0) return size;
    const total = answers[1];
    const all = new p.Uint8Array(total);
    let at = 0;
    let n = size;
    while (n > 0) {
      p.typedArraySet(all, p.typedArraySubarray(internal.bytes, 0, n), at);
      at += n;
      n = at < total ? host.text(code, path, at) : 0;
      if (n < 0) return n;
    }
    return all;
  };
})
