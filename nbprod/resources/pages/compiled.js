// Evaluates a compiled model (nbprod/compiled) for one row: the same steps, the same doubles as the engine in Python.
// Every sum is made in the same order, and exp and log are the same formulas, because those of browsers differ.
const compiledModel = (() => {
  "use strict";
  const LN2 = 0.6931471805599453, LN2_HIGH = 0.693147180369123816490, LN2_LOW = 1.90821492927058770002e-10;
  const LN10 = 2.302585092994046, ROOT_HALF = 0.7071067811865476, HIGHEST = 709.782712893384, LOWEST = -745.2;
  const EXP_TERMS = [], LOG_TERMS = [];
  for (let n = 13, factorial = 6227020800; n >= 0; factorial /= n || 1, n--) EXP_TERMS.push(1 / factorial);
  for (let n = 21; n > 1; n -= 2) LOG_TERMS.push(1 / n);
  const view = new DataView(new ArrayBuffer(8));

  const power2 = k => { view.setUint32(0, (k + 1023) << 20); view.setUint32(4, 0); return view.getFloat64(0); };
  const missing = x => x === null || x === undefined || x !== x;

  function exp(x) {
    if (x !== x) return x;
    if (x > HIGHEST) return Infinity;
    if (x < LOWEST) return 0;
    const k = Math.floor(x / LN2 + 0.5), r = (x - k * LN2_HIGH) - k * LN2_LOW;
    let y = 0;
    for (const term of EXP_TERMS) y = y * r + term;
    const half = k >> 1;
    return y * power2(half) * power2(k - half);
  }

  function log(x) {
    if (x <= 0 || x !== x || x === Infinity) return x === 0 ? -Infinity : x === Infinity ? Infinity : NaN;
    let shifted = 0;
    if (x < 2.2250738585072014e-308) { x *= 18014398509481984; shifted = -54; }
    view.setFloat64(0, x);
    let e = ((view.getUint32(0) >>> 20) & 0x7ff) - 1022 + shifted;
    view.setUint32(0, (view.getUint32(0) & 0x800fffff) | 0x3fe00000);
    let m = view.getFloat64(0);
    if (m < ROOT_HALF) { m *= 2; e -= 1; }
    const s = (m - 1) / (m + 1), z = s * s, s2 = s + s;
    let y = 0;
    for (const term of LOG_TERMS) y = (y + term) * z;
    return e * LN2_HIGH + (s2 + (s2 * y + e * LN2_LOW));
  }

  function log1p(x) {
    const u = 1 + x;
    if (u === 1) return x;
    return u > 0 && u < Infinity ? log(u) * x / (u - 1) : log(u);
  }

  function expm1(x) {
    const u = exp(x);
    if (u === 1) return x;
    const v = u - 1;
    return x > -1 && x < 1 ? v * x / log(u) : v;
  }

  const sigmoid = x => 1 / (1 + exp(-x));
  function tanh(x) { const t = expm1(-2 * Math.abs(x)), y = -t / (t + 2); return x < 0 ? -y : y; }

  const FUNCTIONS = {
    abs: Math.abs, absolute: Math.abs, fabs: Math.abs, ceil: Math.ceil, floor: Math.floor, exp, expm1, log, log1p, sigmoid, tanh,
    log10: x => log(x) / LN10, log2: x => log(x) / LN2, negative: x => -x, reciprocal: x => 1 / x,
    relu: x => x > 0 || x !== x ? x : 0, sign: x => x > 0 ? 1 : x < 0 ? -1 : x === 0 ? 0 : x,
    sqrt: Math.sqrt, square: x => x * x,
  };

  const bisectRight = (sorted, x) => {
    let low = 0, high = sorted.length;
    while (low < high) { const middle = (low + high) >> 1; if (x < sorted[middle]) high = middle; else low = middle + 1; }
    return low;
  };
  const rowOf = (table, k) => table.data.subarray(k * table.shape[1], (k + 1) * table.shape[1]);

  function interpolated(value, x, y) {
    if (value !== value) return value;
    if (value < x[0]) return y[0];
    if (value >= x[x.length - 1]) return y[y.length - 1];
    const k = bisectRight(x, value), slope = (y[k] - y[k - 1]) / (x[k] - x[k - 1]);
    return slope * (value - x[k - 1]) + y[k - 1];
  }

  function yeoJohnson(x, p) {
    if (x < 0) { const q = 2 - p; return q === 0 ? -log1p(-x) : -expm1(q * log1p(-x)) / q; }
    return p === 0 ? log1p(x) : expm1(p * log1p(x)) / p;
  }

  function momentParts(microseconds) {
    if (microseconds !== microseconds) return [NaN, NaN, NaN, NaN, NaN, NaN];
    const div = (a, b) => Math.floor(a / b);
    const minutes = div(microseconds, 60000000), days = div(minutes, 1440), ofDay = minutes - days * 1440;
    const shifted = days + 719468, era = div(shifted, 146097), ofEra = shifted - era * 146097;
    const yearOfEra = div(ofEra - div(ofEra, 1460) + div(ofEra, 36524) - div(ofEra, 146096), 365);
    const ofYear = ofEra - (365 * yearOfEra + div(yearOfEra, 4) - div(yearOfEra, 100));
    let month = div(5 * ofYear + 2, 153);
    const day = ofYear - div(153 * month + 2, 5) + 1;
    month = month < 10 ? month + 3 : month - 9;
    const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0), hour = div(ofDay, 60);
    return [year, month, day, (((days + 3) % 7) + 7) % 7, hour, ofDay - hour * 60];
  }

  const each = (xs, values, f) => xs.map((x, k) => f(x, values[k]));
  const refusal = (name, what) => new Error(`${name} ${what}, which the model refuses.`);

  // Each operation: its parameters, then a list of columns for each register it reads.
  const OPERATIONS = {
    take: (p, xs) => p.columns.map(k => xs[k]),
    join: (p, ...registers) => registers.flat(),
    constant: p => Array.from(p.values.data),
    shift: (p, xs) => each(xs, p.values.data, (x, v) => x - v),
    add: (p, xs) => each(xs, p.values.data, (x, v) => x + v),
    divide: (p, xs) => each(xs, p.values.data, (x, v) => x / v),
    multiply: (p, xs) => each(xs, p.values.data, (x, v) => x * v),
    standardise: (p, xs) => xs.map((x, k) => (x - p.mean.data[k]) / p.scale.data[k]),
    clip: (p, xs) => xs.map((x, k) => x < p.low.data[k] ? p.low.data[k] : x > p.high.data[k] ? p.high.data[k] : x),
    fill: (p, xs) => each(xs, p.values.data, (x, v) => x !== x ? v : x),
    fill_equal: (p, xs) => each(xs, p.values.data, (x, v) => x === p.mark ? v : x),
    fill_text: (p, xs) => each(xs, p.values, (x, v) => missing(x) ? v : x),
    marks: (p, xs) => p.columns.map(k => (p.mark == null ? missing(xs[k]) : xs[k] === p.mark) ? 1 : 0),
    apply: (p, xs) => xs.map(x => FUNCTIONS[p.function](x)),
    normalise(p, xs) {
      let length = 0;
      for (const x of xs) length = p.norm === "max" ? Math.max(length, Math.abs(x)) : length + (p.norm === "l2" ? x * x : Math.abs(x));
      if (p.norm === "l2") length = Math.sqrt(length);
      return xs.map(x => x / (length || 1));
    },
    power: (p, xs) => each(xs, p.lambdas.data, (x, l) =>
      p.method === "box-cox" ? (l === 0 ? log(x) : expm1(l * log(x)) / l) : yeoJohnson(x, l)),
    interpolate: (p, xs) => xs.map((x, k) => interpolated(x, p.x[k].data, p.y[k].data)),
    quantiles: (p, xs) => xs.map((x, k) => {
      const px = p.x[k].data, py = p.y[k].data, back = a => Array.from(a, v => -v).reverse();
      if (x === px[0]) return 0;
      if (x === px[px.length - 1]) return 1;
      return 0.5 * (interpolated(x, px, py) - interpolated(-x, back(px), back(py)));
    }),
    bins: (p, xs) => xs.flatMap((x, k) => Array.from(rowOf(p.tables[k], bisectRight(p.edges[k].data, x)))),
    products: (p, xs) => p.terms.map(term => term.length ? term.slice(1).reduce((y, k) => y * xs[k], xs[term[0]]) : 1),
    single: (p, xs) => xs.map(Math.fround),
    finite(p, xs) {
      for (const x of xs) {
        if (x === Infinity || x === -Infinity || (!p.missing && x !== x)) throw new Error("A number the model is given is infinite or missing.");
      }
      return xs;
    },
    lookup(p, xs) {
      p.maps ??= p.values.map(values => new Map(values.map((value, code) => [value, code])));
      return xs.flatMap((x, k) => {
        const none = missing(x), size = p.values[k].length;
        let code = none ? undefined : p.maps[k].get(x);
        if (code === undefined) {
          if (p.refuse[k][none ? 0 : 1]) throw refusal(p.names[k], none ? "is missing" : "has a value that was never seen");
          code = none ? size : size + 1;
        }
        return Array.from(rowOf(p.tables[k], code));
      });
    },
    members(p, xs) {
      const last = p.tables.shape[1] - 1;
      return [...xs, ...p.columns.map((k, set) => rowOf(p.tables, set)[xs[k] >= 0 && xs[k] < last ? Math.floor(xs[k]) : last])];
    },
    moments: (p, xs) => xs.flatMap(momentParts),
    words(p, xs) {
      p.map ??= new Map(p.words.map((word, position) => [word, position]));
      const row = new Array(p.words.length).fill(0), counts = new Map();
      const text = p.lower ? xs[0].toLowerCase() : xs[0];
      for (const [word] of text.matchAll(/[\p{L}\p{N}_]+/gu)) {
        const position = [...word].length > 1 ? p.map.get(word) : undefined;
        if (position !== undefined) counts.set(position, p.binary ? 1 : (counts.get(position) || 0) + 1);
      }
      let length = 0;
      const found = [...counts.keys()].sort((a, b) => a - b);
      for (const position of found) {
        let value = p.sublinear ? log(counts.get(position)) + 1 : counts.get(position);
        if (p.idf !== null) value *= p.idf.data[position];
        row[position] = value;
        length += p.norm === "l2" ? value * value : Math.abs(value);
      }
      if (p.norm && length > 0) {
        length = p.norm === "l2" ? Math.sqrt(length) : length;
        for (const position of found) row[position] /= length;
      }
      return row;
    },
    linear(p, xs) {
      const made = [];
      for (let k = 0; k < p.weights.shape[0]; k++) {
        const weights = rowOf(p.weights, k);
        let total = 0;
        for (let j = 0; j < xs.length; j++) total += xs[j] * weights[j];
        made.push(total + p.intercepts.data[k]);
      }
      return made;
    },
    trees(p, xs) {
      const feature = p.feature.data, threshold = p.threshold.data, left = p.left.data, toLeft = p.missing_left.data;
      const width = p.values.shape[1], values = p.values.data, round = p.single ? Math.fround : x => x;
      const totals = Array.from(p.base.data, round);
      for (let tree = 0; tree < p.roots.data.length; tree++) {
        let node = p.roots.data[tree];
        while (feature[node] >= 0) {
          const x = xs[feature[node]], isLeft = x !== x ? toLeft[node] === 1 : x <= threshold[node];
          node = left[node] + (isLeft ? 0 : 1);
        }
        const first = p.output.data[tree], leaf = left[node] * width;
        for (let k = 0; k < width; k++) totals[first + k] = round(totals[first + k] + round(values[leaf + k]));
      }
      return totals.map(total => total / p.divisor);
    },
    two: (p, xs) => [1 - xs[0], xs[0]],
    second: (p, xs) => { const y = sigmoid(xs[0]); return [1 - y, y]; },
    softmax(p, xs) {
      let highest = xs[0];
      for (const x of xs) if (x > highest) highest = x;
      const raised = xs.map(x => exp(x - highest)), total = raised.reduce((a, b) => a + b);
      return raised.map(x => x / total);
    },
    shares(p, xs) { const total = xs.reduce((a, b) => a + b); return xs.map(x => total !== 0 ? x / total : 1 / xs.length); },
    softened: (p, xs) => xs.map(x => (Math.min(Math.max(x, -1), 1) + 1) / 2),
    above: (p, xs) => [(p.equal ? xs[0] >= 0 : xs[0] > 0) ? 1 : 0],
    largest: (p, xs) => { let best = 0; for (let k = 1; k < xs.length; k++) if (xs[k] > xs[best]) best = k; return [best]; },
    mean: (p, ...registers) => registers[0].map((_, k) => {
      let value = registers[0][k] * p.weights.data[0];
      for (let j = 1; j < registers.length; j++) value += registers[j][k] * p.weights.data[j];
      return value / p.total;
    }),
    votes(p, ...registers) {
      const made = new Array(p.classes).fill(0);
      registers.forEach(([label], j) => {
        for (let k = 0; k < p.classes; k++) made[k] += label === k ? p.hits.data[j] : p.misses.data[j];
      });
      return made;
    },
    likelihoods: (p, xs) => Array.from(p.prior.data, (prior, k) => {
      const means = rowOf(p.means, k), variances = rowOf(p.variances, k);
      let total = 0;
      for (let j = 0; j < xs.length; j++) total += (xs[j] - means[j]) * (xs[j] - means[j]) / variances[j];
      return prior + (p.constants.data[k] - 0.5 * total);
    }),
    logits: (p, xs) => xs.map(x => log(x + p.small)),
  };

  const ARRAYS = { float64: Float64Array, float32: Float32Array, int64: BigInt64Array, int32: Int32Array, uint8: Uint8Array };

  function decoded(value) {
    if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
    if ("list" in value) return value.list.map(decoded);
    const bytes = Uint8Array.from(atob(value.base64), character => character.charCodeAt(0));
    let data = new ARRAYS[value.dtype](bytes.buffer);
    if (value.dtype === "int64") data = Float64Array.from(data, Number);
    return { data, shape: value.shape };
  }

  // Takes a plan as parsed JSON; gives a function of one row's values, in the order of the plan's inputs.
  return plan => {
    if (plan.format !== 1) throw new Error("This model was compiled for a later page.");
    const steps = plan.steps.map(step => ({
      run: OPERATIONS[step.op], inputs: step.inputs,
      params: Object.fromEntries(Object.entries(step.params).map(([name, value]) => [name, decoded(value)])),
    }));
    return values => {
      const registers = [values.map((value, k) => plan.inputs[k].kind === "text" ? value : missing(value) ? NaN : Number(value))];
      for (const step of steps) registers.push(step.run(step.params, ...step.inputs.map(k => registers[k])));
      const found = registers[plan.answer.prediction][0], shares = plan.answer.probabilities;
      return {
        prediction: plan.classes.length ? plan.classes[found] : found,
        probabilities: shares === null ? null : registers[shares],
      };
    };
  };
})();
