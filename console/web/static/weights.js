// Weights that always sum to 100. Pure.

/** The weights with one of them changed; the others share the rest as they did before. */
export function rebalanced(weights, changed, value) {
  const wanted = Math.max(0, Math.min(100, Math.round(Number(value) || 0)));
  const others = Object.keys(weights).filter((name) => name !== changed);
  if (!others.length) return { [changed]: 100 };
  const rest = 100 - wanted;
  const before = others.reduce((sum, name) => sum + weights[name], 0);
  const exact = others.map((name) => (before ? (weights[name] * rest) / before : rest / others.length));
  const shares = exact.map(Math.floor);
  let left = rest - shares.reduce((sum, share) => sum + share, 0);
  const order = exact.map((share, index) => [share - shares[index], index]).sort((one, other) => other[0] - one[0] || one[1] - other[1]);
  for (const [, index] of order) {
    if (left <= 0) break;
    shares[index] += 1;
    left -= 1;
  }
  const result = { ...weights, [changed]: wanted };
  others.forEach((name, index) => (result[name] = shares[index]));
  return result;
}

/** The weights of a service for its sliders: every version there is, those without a weight with 0. */
export function full(service) {
  const base = service.base || {};
  return Object.fromEntries([...new Set([...service.versions, ...Object.keys(base)])].sort().map((version) => [version, base[version] || 0]));
}

export const same = (one, other) => Object.keys({ ...one, ...other }).every((name) => (one[name] || 0) === (other[name] || 0));
