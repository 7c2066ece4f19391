// A certified server to compare with: oidc-provider on a loopback port, set up like the Jeton of
// test_differential.py, with everything in memory.
//
// The setup comes as one line of JSON on standard input: clients, scopes. The first line printed is
// the issuer; the server ends when standard input does. Whoever asks is signed in as the one
// account, and allows everything.

import { createServer } from 'node:http';
import { createInterface } from 'node:readline';

for (const level of ['info', 'log', 'warn']) {
  console[level] = () => {}; // the library's advice to its operator
}
const { default: Provider } = await import('oidc-provider');

const lines = createInterface({ input: process.stdin });
const [first] = await new Promise((resolve) => { lines.once('line', (line) => resolve([line])); });
const setup = JSON.parse(first);
const server = createServer();
server.listen(0, '127.0.0.1');
await new Promise((resolve) => { server.once('listening', resolve); });
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  clients: setup.clients,
  scopes: setup.scopes,
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true,
      allowedPolicy: (ctx, client, token) => token.clientId === client.clientId },
    revocation: { enabled: true,
      allowedPolicy: (ctx, client, token) => token.clientId === client.clientId },
    pushedAuthorizationRequests: { enabled: true },
    requestObjects: { request: true, requestUri: false, mode: 'strict' },
    dPoP: { enabled: true },
    userinfo: { enabled: true },
    rpInitiatedLogout: { enabled: true },
    claimsParameter: { enabled: true },
    resourceIndicators: { enabled: true, defaultResource: () => undefined },
  },
  pkce: { required: () => true },
  clientDefaults: { id_token_signed_response_alg: 'RS256' },
  responseTypes: ['code'],
  acrValues: ['urn:jeton:acr:1fa', 'urn:jeton:acr:2fa', 'phr'],
  issueRefreshToken: (ctx, client) => client.grantTypeAllowed('refresh_token'),
  rotateRefreshToken: true,
  expiresWithSession: () => false,
  conformIdTokenClaims: true,
  cookies: { keys: ['of this test alone'] },
  ttl: { AccessToken: 600, ClientCredentials: 600, AuthorizationCode: 60, IdToken: 600,
    RefreshToken: 1209600, Grant: 1209600, Interaction: 600, Session: 1209600 },
  findAccount: (ctx, id) => ({ accountId: id,
    claims: () => ({ sub: id, name: 'Alice Example', email: 'alice@mail.example',
      email_verified: true }) }),
  interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
  renderError: (ctx, out) => {
    ctx.type = 'html';
    ctx.body = `<!doctype html><title>Error</title><code id="error">${out.error}</code>`;
  },
});

async function interact(request, response) {
  const { prompt, params, session } = await provider.interactionDetails(request, response);
  const result = {};
  if (prompt.name === 'login') {
    result.login = { accountId: 'alice' };
  } else {
    const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
    grant.addOIDCScope(params.scope);
    result.consent = { grantId: await grant.save() };
  }
  await provider.interactionFinished(request, response, result,
    { mergeWithLastSubmission: true });
}

const answer = provider.callback();
server.on('request', (request, response) => {
  const handled = request.url.startsWith('/interaction/') ? interact(request, response)
    : answer(request, response);
  Promise.resolve(handled).catch((error) => {
    response.statusCode = 599;
    response.end(String(error.stack));
  });
});
process.stdout.write(`${issuer}\n`);
lines.once('close', () => process.exit(0));
