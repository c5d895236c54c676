/** Changes the sample rate of sound that comes in pieces. */

const PHASES = 256;
const CROSSINGS = 12;

/**
 * Make a function that takes pieces of sound at one rate and returns them at another, without seams between them.
 * @param {number} from Hz
 * @param {number} to Hz
 * @returns {(samples: Float32Array) => Float32Array}
 */
export function resampler(from, to) {
  if (from === to) return (samples) => samples;
  const step = from / to;
  // What the lower rate can't carry would come back as noise, so it is filtered out.
  const passed = Math.min(1, to / from);
  const reach = Math.ceil(CROSSINGS / passed);
  const kernels = Array.from({length: PHASES}, (_, phase) => kernel(phase / PHASES, reach, passed));
  let rest = new Float32Array(2 * reach);
  let at = reach;
  return (samples) => {
    const input = new Float32Array(rest.length + samples.length);
    input.set(rest);
    input.set(samples, rest.length);
    const count = Math.max(0, Math.ceil((input.length - reach - 1 - at) / step));
    const output = new Float32Array(count);
    for (let i = 0; i < count; i++) {
      const phase = Math.round((at + i * step) * PHASES);
      const first = Math.floor(phase / PHASES) - reach + 1;
      const weights = kernels[phase % PHASES];
      let sum = 0;
      for (let k = 0; k < weights.length; k++) sum += input[first + k] * weights[k];
      output[i] = sum;
    }
    at += count * step;
    const done = Math.floor(at) - reach;
    rest = input.slice(done);
    at -= done;
    return output;
  };
}

/**
 * Return a windowed sinc for a place `fraction` behind a sample: the weights of the samples around it.
 * @param {number} fraction
 * @param {number} reach samples on each side
 * @param {number} passed share of the band that is kept
 */
function kernel(fraction, reach, passed) {
  const weights = Float32Array.from({length: 2 * reach}, (_, i) => {
    const distance = i - reach + 1 - fraction;
    const x = Math.PI * distance * passed * 0.95;
    const window = Math.cos((Math.PI / 2) * (distance / (reach + 1))) ** 2;
    return (x === 0 ? 1 : Math.sin(x) / x) * window;
  });
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}
