// What the scripts of flows are told on standard input, and how they read it.

import { readFileSync } from 'node:fs';

export const job = JSON.parse(readFileSync(0, 'utf8'));
export const callback = 'https://rp.example/cb';

const algorithms = {
  ES256: { name: 'ECDSA', namedCurve: 'P-256' },
  PS256: { name: 'RSA-PSS', hash: 'SHA-256' },
};

export async function keyOf(jwk) {
  const key = await crypto.subtle.importKey('jwk', jwk, algorithms[jwk.alg], false, ['sign']);
  return { key, kid: jwk.kid };
}
