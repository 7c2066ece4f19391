// Speaks to a Jeton with oauth4webapi and prints what happened as one JSON object.
//
// The job comes as JSON on standard input: issuer, client, user, service, scopes. Every step goes
// through the library's own checks (process…Response), which throw when an answer is not as the
// RFC has it.

import * as oauth from 'oauth4webapi';
import { readFileSync } from 'node:fs';

const job = JSON.parse(readFileSync(0, 'utf8'));
const plain = { [oauth.allowInsecureRequests]: true };
const issuer = new URL(job.issuer);
const seen = {};

const as = await oauth.processDiscoveryResponse(issuer,
  await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...plain }));
await oauth.processDiscoveryResponse(issuer,
  await oauth.discoveryRequest(issuer, { algorithm: 'oidc', ...plain }));
seen.token_endpoint = as.token_endpoint;

const client = { client_id: job.client.id };
const methods = { basic: oauth.ClientSecretBasic, post: oauth.ClientSecretPost };
for (const [name, method] of Object.entries(methods)) {
  const authentication = method(job.client.secret);
  const answer = await oauth.processClientCredentialsResponse(as, client,
    await oauth.clientCredentialsGrantRequest(as, client, authentication,
      { scope: job.scope }, plain));
  seen[name] = { token_type: answer.token_type, scope: answer.scope,
    expires_in: answer.expires_in };
}

const secret = oauth.ClientSecretBasic(job.client.secret);
const granted = await oauth.processGenericTokenEndpointResponse(as, client,
  await oauth.genericTokenEndpointRequest(as, client, secret, 'password',
    { username: job.user.name, password: job.user.password, scope: job.scope }, plain));
const refreshed = await oauth.processRefreshTokenResponse(as, client,
  await oauth.refreshTokenGrantRequest(as, client, secret, granted.refresh_token, plain));
seen.rotated = refreshed.refresh_token !== granted.refresh_token;

const service = { client_id: job.service.id };
const introspect = async (token) => oauth.processIntrospectionResponse(as, service,
  await oauth.introspectionRequest(as, service, oauth.ClientSecretBasic(job.service.secret), token,
    plain));
seen.before = await introspect(refreshed.access_token);
await oauth.processRevocationResponse(
  await oauth.revocationRequest(as, client, secret, refreshed.refresh_token, plain));
seen.after = await introspect(refreshed.access_token);

const signed = await oauth.processClientCredentialsResponse(as, client,
  await oauth.clientCredentialsGrantRequest(as, client, secret, { scope: job.jwt_scope }, plain));
const request = new Request('http://resource.example/', {
  headers: { authorization: `Bearer ${signed.access_token}` },
});
const claims = await oauth.validateJwtAccessToken(as, request, job.jwt_audience, plain);
seen.claims = claims;

try {
  await oauth.processClientCredentialsResponse(as, client,
    await oauth.clientCredentialsGrantRequest(as, client, oauth.ClientSecretBasic('wrong'),
      {}, plain));
} catch (error) {
  seen.refused = { code: error.code, error: error.error, status: error.status,
    challenge: error.cause?.[0]?.scheme };
}

console.log(JSON.stringify(seen));
