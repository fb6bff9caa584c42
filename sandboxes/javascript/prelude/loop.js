// The event loop: what is to be called, in which order, at which moment of virtual time.
//
// The host calls `step` until nothing is left, and after each step lets `ticks` and promises settle. Waiting burns
// fuel, so that a program that waits for ever ends like one that computes for ever.
(function (internal) {
  'use strict';
  const p = internal.primordials;
  const { apply, arrayPush, arrayShift, floor } = p;
  const { host } = internal;
  const clock = performance.now.bind(performance);
  const LONGEST_MS = 2147483647;

  internal.now = clock;

  // Timers by the moment they are due, then by age: a binary heap.
  const heap = [];
  const isBefore = (a, b) => a.due < b.due || (a.due === b.due && a.age < b.age);
  function put(timer) {
    let at = heap.length;
    heap[at] = timer;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(timer, heap[parent])) break;
      heap[at] = heap[parent];
      at = parent;
    }
    heap[at] = timer;
  }
  function take() {
    const first = heap[0];
    const last = heap[heap.length - 1];
    heap.length -= 1;
    const n = heap.length;
    let at = 0;
    while (n > 0) {
      let child = 2 * at + 1;
      if (child + 1 < n && isBefore(heap[child + 1], heap[child])) child++;
      if (child >= n || !isBefore(heap[child], last)) break;
      heap[at] = heap[child];
      at = child;
    }
    if (n > 0) heap[at] = last;
    return first;
  }

  let age = 0;
  let nActive = 0;
  const byId = new p.Map();
  // Node's loop looks at the clock once in each round.
  let now = 0;

  class Timeout {
    constructor(callback, ms, args, repeats) {
      this._onTimeout = callback;
      this._idleTimeout = ms;
      this._repeat = repeats ? ms : null;
      this._destroyed = false;
      p.defineProperty(this, 'timer', {
        value: { due: 0, age: 0, args, isLive: false, keepsAlive: true, owner: this }, enumerable: false,
      });
    }
    ref() { keepAlive(this.timer, true); return this; }
    unref() { keepAlive(this.timer, false); return this; }
    hasRef() { return this.timer.keepsAlive; }
    refresh() { if (this.timer.isLive) { this.timer.isLive = false; count(this.timer, -1); start(this); } return this; }
    close() { clearTimeout(this); return this; }
    [p.toPrimitive]() {
      p.mapSet(byId, this.timer.id, this);
      return this.timer.id;
    }
  }

  function count(timer, n) {
    if (timer.keepsAlive) nActive += n;
  }
  function keepAlive(timer, keeps) {
    if (timer.isLive && timer.keepsAlive !== keeps) nActive += keeps ? 1 : -1;
    timer.keepsAlive = keeps;
  }

  // A timer that is started anew leaves its old entry in the heap, which is known by its age.
  function start(timeout) {
    const { timer } = timeout;
    const entry = { due: now + timeout._idleTimeout, age: ++age, timer };
    timer.age = age;
    timer.id ??= age;
    timer.isLive = true;
    count(timer, 1);
    put(entry);
  }

  function setTimer(callback, ms, args, repeats) {
    if (typeof callback !== 'function') {
      throw internal.nodeError(p.TypeError, 'ERR_INVALID_ARG_TYPE',
        `The "callback" argument must be of type function. Received ${internal.received(callback)}`);
    }
    ms = +ms;
    if (!(ms >= 1 && ms <= LONGEST_MS)) ms = 1;
    const timeout = new Timeout(callback, p.trunc(ms), args, repeats);
    start(timeout);
    return timeout;
  }

  function clearTimeout(timeout) {
    if (typeof timeout === 'number' || typeof timeout === 'string') timeout = p.mapGet(byId, +timeout);
    if (!(timeout instanceof Timeout)) return;
    const { timer } = timeout;
    if (timer.isLive) {
      timer.isLive = false;
      count(timer, -1);
    }
    timer.age = -1;
    timeout._destroyed = true;
    timeout._repeat = null;
    if (timer.id !== undefined) p.mapDelete(byId, timer.id);
  }

  class Immediate {
    constructor(callback, args) {
      this._onImmediate = callback;
      p.defineProperty(this, 'args', { value: args, enumerable: false });
      this._destroyed = false;
    }
    ref() { return this; }
    unref() { return this; }
    hasRef() { return true; }
  }

  let immediates = [];
  let running = [];
  let polled = [];
  const ticks = [];
  let phase = 0;

  const clearImmediate = (immediate) => {
    if (immediate instanceof Immediate) immediate._destroyed = true;
  };

  internal.timers = {
    setTimeout: (callback, ms, ...args) => setTimer(callback, ms, args, false),
    setInterval: (callback, ms, ...args) => setTimer(callback, ms, args, true),
    setImmediate(callback, ...args) {
      if (typeof callback !== 'function') {
        throw internal.nodeError(p.TypeError, 'ERR_INVALID_ARG_TYPE',
          `The "callback" argument must be of type function. Received ${internal.received(callback)}`);
      }
      const immediate = new Immediate(callback, args);
      arrayPush(immediates, immediate);
      return immediate;
    },
    clearTimeout, clearInterval: clearTimeout, clearImmediate,
  };
  for (const name of p.keys(internal.timers)) {
    p.defineProperty(internal.timers[name], 'name', { value: name });
  }

  // What a stream of the system would do in the loop's polling phase.
  internal.poll = (callback) => arrayPush(polled, callback);
  internal.nextTick = (callback, ...args) => {
    if (typeof callback !== 'function') {
      throw internal.nodeError(p.TypeError, 'ERR_INVALID_ARG_TYPE',
        `The "callback" argument must be of type function. Received ${internal.received(callback)}`);
    }
    arrayPush(ticks, callback, args);
  };

  function guarded(callback, self, args) {
    try {
      apply(callback, self, args);
    } catch (error) {
      internal.uncaught(error, 'uncaughtException');
    }
  }

  // Calls everything that waits for the end of the current call. Whether there was anything.
  internal.runTicks = () => {
    if (ticks.length === 0) return false;
    let at = 0;
    while (at < ticks.length) {
      const callback = ticks[at];
      const args = ticks[at + 1];
      at += 2;
      if (at >= ticks.length) {
        ticks.length = 0;
        at = 0;
      }
      guarded(callback, undefined, args);
    }
    return true;
  };

  function runTimer() {
    while (heap.length > 0 && heap[0].due <= now) {
      const entry = take();
      const { timer } = entry;
      if (timer.age !== entry.age || !timer.isLive) continue;
      const timeout = timer.owner;
      timer.isLive = false;
      count(timer, -1);
      if (timeout._repeat !== null) start(timeout);
      guarded(timeout._onTimeout, timeout, timer.args);
      if (timeout._repeat === null && !timer.isLive) timeout._destroyed = true;
      return true;
    }
    return false;
  }

  // Looks at the clock, and waits when there is nothing to do before the next timer. A timer of one millisecond
  // counts as due, so that `setTimeout(f, 0)` always comes before `setImmediate`.
  function beginRound() {
    now = floor(clock());
    while (heap.length > 0 && (heap[0].timer.age !== heap[0].age || !heap[0].timer.isLive)) take();
    if (heap.length === 0) return;
    const wait = heap[0].due - clock();
    if (wait > 0 && (wait <= 1 || (immediates.length === 0 && polled.length === 0))) {
      host.sleep(wait);
      now = p.max(floor(clock()), heap[0].due);
    }
  }

  internal.startClock = () => { now = floor(clock()); };

  internal.hasWork = () => nActive > 0 || immediates.length > 0 || polled.length > 0 || running.length > 0;

  // One call of the loop; false when there is nothing left to do.
  internal.step = () => {
    for (;;) {
      if (phase === 0) {
        if (!internal.hasWork()) return false;
        beginRound();
        phase = 1;
      }
      if (phase === 1) {
        if (runTimer()) return true;
        phase = 2;
      }
      if (phase === 2) {
        if (polled.length > 0) {
          guarded(arrayShift(polled), undefined, []);
          return true;
        }
        phase = 3;
        running = immediates;
        immediates = [];
      }
      while (running.length > 0) {
        const immediate = arrayShift(running);
        if (immediate._destroyed) continue;
        guarded(immediate._onImmediate, immediate, immediate.args);
        return true;
      }
      phase = 0;
    }
  };
})
