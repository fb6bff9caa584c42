// The modules `readline` and `readline/promises`.
(function (internal) {
  'use strict';
  const p = internal.primordials;
  const { arrayPush, arrayShift, stringSplit } = p;
  const { EventEmitter } = internal;
  const LINE_END = /\r\n|\n|\r|\u2028|\u2029/;

  class Interface extends EventEmitter {
    #input;
    #output;
    #prompt;
    #lines = [];
    #rest = '';
    #questions = [];
    #isPaused = false;
    #isOver = false;
    #isArmed = false;
    constructor(input, output) {
      super();
      const options = input !== null && typeof input === 'object' && input.input !== undefined ? input : { input, output };
      this.#input = options.input ?? internal.process.stdin;
      this.#output = options.output;
      this.#prompt = options.prompt ?? '> ';
      this.closed = false;
      this.terminal = false;
      this.line = '';
      this.cursor = 0;
      this.#arm();
    }
    get input() { return this.#input; }
    get output() { return this.#output; }

    // Node reads from the moment the interface is made; what nobody listens to is lost.
    #arm() {
      if (this.#isArmed) return;
      this.#isArmed = true;
      if (this.#input === internal.process.stdin) {
        internal.poll(() => this.#take(internal.stdinText(), true));
      } else {
        this.#input.on('data', (chunk) => this.#take(`${chunk}`, false));
        this.#input.on('end', () => this.#take('', true));
      }
    }
    #take(text, isLast) {
      const lines = stringSplit(this.#rest + text, LINE_END);
      this.#rest = lines[lines.length - 1];
      for (let i = 0; i < lines.length - 1; i++) arrayPush(this.#lines, lines[i]);
      if (isLast) {
        if (this.#rest !== '') arrayPush(this.#lines, this.#rest);
        this.#rest = '';
        this.#isOver = true;
      }
      this.#deliver();
    }
    #position = 0;
    #deliver() {
      while (!this.#isPaused && !this.closed && this.#position < this.#lines.length) {
        const line = this.#lines[this.#position++];
        if (this.#questions.length > 0) {
          const callback = arrayShift(this.#questions);
          callback(line);
          if (this.#position < this.#lines.length) {
            // Another question is asked only after what waits for this answer has run.
            internal.poll(() => this.#deliver());
            return;
          }
        } else {
          this.emit('line', line);
        }
      }
      if (this.#isOver && !this.#isPaused && !this.closed && this.#position >= this.#lines.length) {
        if (this.#questions.length > 0 || this.listenerCount('line') === 0) internal.poll(() => this.close());
        else this.close();
      }
    }
    setPrompt(prompt) { this.#prompt = `${prompt}`; }
    getPrompt() { return this.#prompt; }
    prompt() {
      if (this.#isPaused) this.resume();
      this.#output?.write(this.#prompt);
    }
    question(query, options, callback) {
      if (typeof options === 'function') callback = options;
      if (this.closed) {
        throw internal.nodeError(p.Error, 'ERR_USE_AFTER_CLOSE', 'readline was closed');
      }
      this.#output?.write(`${query}`);
      if (typeof callback === 'function') arrayPush(this.#questions, callback);
      if (this.#isOver || this.#position < this.#lines.length) internal.poll(() => this.#deliver());
    }
    write() {}
    pause() {
      if (!this.#isPaused) {
        this.#isPaused = true;
        this.emit('pause');
      }
      return this;
    }
    resume() {
      if (this.#isPaused) {
        this.#isPaused = false;
        this.emit('resume');
        internal.poll(() => this.#deliver());
      }
      return this;
    }
    close() {
      if (this.closed) return;
      this.closed = true;
      this.emit('close');
    }
    [p.asyncIterator]() {
      const queue = [];
      const waiting = [];
      let isDone = this.closed;
      this.on('line', (line) => {
        if (waiting.length > 0) arrayShift(waiting)({ value: line, done: false });
        else arrayPush(queue, line);
      });
      this.on('close', () => {
        isDone = true;
        while (waiting.length > 0) arrayShift(waiting)({ value: undefined, done: true });
      });
      let at = 0;
      return {
        next: () => new p.Promise((resolve) => {
          if (at < queue.length) resolve({ value: queue[at++], done: false });
          else if (isDone) resolve({ value: undefined, done: true });
          else arrayPush(waiting, resolve);
        }),
        return: () => {
          this.close();
          return p.resolve({ value: undefined, done: true });
        },
        [p.asyncIterator]() { return this; },
      };
    }
    [p.Symbol.dispose ?? Symbol('dispose')]() { this.close(); }
  }

  class PromisesInterface extends Interface {
    question(query) {
      return new p.Promise((resolve) => super.question(query, resolve));
    }
  }

  const promises = {
    Interface: PromisesInterface,
    createInterface: (input, output) => new PromisesInterface(input, output),
  };
  internal.readline = {
    Interface,
    createInterface: (input, output) => new Interface(input, output),
    clearLine: () => true, cursorTo: () => true, moveCursor: () => true, clearScreenDown: () => true,
    emitKeypressEvents() {},
    promises,
  };
  // `util.promisify(rl.question)` gives the answer, not an error first.
  p.defineProperty(Interface.prototype.question, internal.promisifyCustom, {
    value(query) { return new p.Promise((resolve) => this.question(query, resolve)); },
  });
})
