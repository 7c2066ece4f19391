// node server.js PORT memory|DATABASE VALUES COUNT: oidc-provider with one confidential client, and
// COUNT refresh tokens written to the file VALUES before it listens.
import { writeFileSync } from 'node:fs';
import { Provider } from 'oidc-provider';
import { MemoryAdapter, sqliteAdapter } from './adapters.js';

const [port, where, refreshPath, refreshCount] = process.argv.slice(2);

const provider = new Provider(`http://127.0.0.1:${port}`, {
  adapter: where === 'memory' ? MemoryAdapter : sqliteAdapter(where),
  clients: [{
    client_id: 'bench',
    client_secret: 'bench-secret-0123456789abcdef',
    grant_types: ['client_credentials', 'refresh_token', 'authorization_code'],
    redirect_uris: ['https://client.example/callback'],
    token_endpoint_auth_method: 'client_secret_basic',
    id_token_signed_response_alg: 'ES256',
  }],
  scopes: ['openid', 'offline_access', 'read'],
  features: {
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    revocation: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: () => ({
        scope: 'read',
        audience: 'urn:api',
        accessTokenTTL: 86400,
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
  jwks: { keys: [await makeKey()] },
  ttl: {
    AccessToken: 86400, ClientCredentials: 86400, RefreshToken: 86400, Grant: 86400,
  },
  rotateRefreshToken: true,
  findAccount: (context, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
});

async function makeKey() {
  const pair = await crypto.subtle.generateKey(
    { name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify']);
  const { kty, crv, x, y, d } = await crypto.subtle.exportKey('jwk', pair.privateKey);
  return { kty, crv, x, y, d, kid: 'bench', use: 'sig', alg: 'ES256' };
}

async function makeRefreshTokens(count) {
  const client = await provider.Client.find('bench');
  const values = [];
  for (let i = 0; i < count; i += 1) {
    const grant = new provider.Grant({ accountId: `account${i}`, clientId: 'bench' });
    grant.addOIDCScope('offline_access');
    const grantId = await grant.save();
    const token = new provider.RefreshToken({
      client, accountId: `account${i}`, grantId, scope: 'offline_access',
      gty: 'authorization_code', authTime: Math.floor(Date.now() / 1000),
    });
    values.push(await token.save());
  }
  return values;
}

const values = await makeRefreshTokens(Number(refreshCount));
writeFileSync(refreshPath, values.map((value) => `${value}\n`).join(''));
provider.on('server_error', (context, error) => console.error(error));
provider.listen(Number(port), '127.0.0.1');
