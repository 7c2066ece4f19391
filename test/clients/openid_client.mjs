// Speaks to a Jeton with openid-client and prints what happened as one JSON object.
//
// The job comes as JSON on standard input: issuer, client, user, service, scopes.

import * as client from 'openid-client';
import { readFileSync } from 'node:fs';

const job = JSON.parse(readFileSync(0, 'utf8'));
const server = new URL(job.issuer);
const seen = {};

for (const algorithm of ['oauth2', 'oidc']) {
  const found = await client.discovery(server, job.client.id, job.client.secret, undefined,
    { algorithm, execute: [client.allowInsecureRequests] });
  seen[algorithm] = found.serverMetadata().issuer;
}

const config = await client.discovery(server, job.client.id, job.client.secret,
  client.ClientSecretBasic(job.client.secret),
  { algorithm: 'oauth2', execute: [client.allowInsecureRequests] });
const machine = await client.clientCredentialsGrant(config, { scope: job.scope });
seen.machine = { token_type: machine.token_type, scope: machine.scope,
  expires_in: machine.expires_in, lasts: machine.expiresIn() > 0 };

const granted = await client.genericGrantRequest(config, 'password',
  { username: job.user.name, password: job.user.password, scope: job.scope });
const refreshed = await client.refreshTokenGrant(config, granted.refresh_token);
seen.rotated = refreshed.refresh_token !== granted.refresh_token;

seen.before = await client.tokenIntrospection(config, refreshed.access_token);
await client.tokenRevocation(config, refreshed.access_token);
seen.after = await client.tokenIntrospection(config, refreshed.access_token);

try {
  await client.refreshTokenGrant(config, granted.refresh_token + 'x');
} catch (error) {
  seen.refused = { error: error.error, status: error.status };
}
console.log(JSON.stringify(seen));
