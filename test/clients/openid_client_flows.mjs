// One flow of openid-client with a Jeton, and what it led to as one JSON object.
//
// The job comes as JSON on standard input: flow, issuer, user, clients, service, scope.

import * as client from 'openid-client';
import { Person, approveDevice } from './person.mjs';
import { callback, job, keyOf } from './flow_job.mjs';

const person = new Person(job.issuer, job.user);

async function configure(name, authentication, metadata = {}) {
  const { id, secret } = job.clients[name];
  const config = await client.discovery(new URL(job.issuer), id, metadata,
    authentication ?? client.ClientSecretBasic(secret), { execute: [client.allowInsecureRequests] });
  client.enableNonRepudiationChecks(config); // ID tokens are verified with the published keys
  return config;
}

async function checksOf(parameters = {}) {
  const checks = { pkceCodeVerifier: client.randomPKCECodeVerifier(),
    expectedState: client.randomState(), expectedNonce: client.randomNonce() };
  return { checks,
    parameters: { redirect_uri: callback, scope: job.scope, state: checks.expectedState,
      nonce: checks.expectedNonce, code_challenge_method: 'S256',
      code_challenge: await client.calculatePKCECodeChallenge(checks.pkceCodeVerifier),
      ...parameters } };
}

// The whole way; build makes the address of the request.
async function signIn(config, { build = client.buildAuthorizationUrl, parameters, options } = {}) {
  const asked = await checksOf(parameters);
  const url = await build(config, asked.parameters);
  const answer = await person.authorize(url);
  const tokens = await client.authorizationCodeGrant(config, answer, asked.checks, undefined,
    options);
  return { tokens, url, claims: tokens.claims() };
}

async function summary({ tokens, url, claims }) {
  return { token_type: tokens.token_type, scope: tokens.scope, claims,
    parameters: [...url.searchParams.keys()].sort() };
}

const flows = {
  async code() {
    const config = await configure('web');
    const first = await signIn(config);
    const user = await client.fetchUserInfo(config, first.tokens.access_token, first.claims.sub);
    const refreshed = await client.refreshTokenGrant(config, first.tokens.refresh_token);
    return { ...await summary(first), user, refreshed: refreshed.claims(),
      rotated: refreshed.refresh_token !== first.tokens.refresh_token };
  },

  async post() {
    const { id, secret } = job.clients.poster;
    const config = await client.discovery(new URL(job.issuer), id, {},
      client.ClientSecretPost(secret), { execute: [client.allowInsecureRequests] });
    return summary(await signIn(config));
  },

  async public() {
    return summary(await signIn(await configure('spa', client.None())));
  },

  async form_post() {
    return summary(await signIn(await configure('web'),
      { parameters: { response_mode: 'form_post' } }));
  },

  async pushed() {
    return summary(await signIn(await configure('web'),
      { build: client.buildAuthorizationUrlWithPAR }));
  },

  async signed() {
    const key = await keyOf(job.clients.keyed.jwk);
    const config = await configure('keyed', client.PrivateKeyJwt(key));
    return summary(await signIn(config, { build: (its, parameters) =>
      client.buildAuthorizationUrlWithJAR(its, parameters, key) }));
  },

  async private_key_jwt() {
    const config = await configure('keyed',
      client.PrivateKeyJwt(await keyOf(job.clients.keyed.jwk)));
    const first = await signIn(config);
    const refreshed = await client.refreshTokenGrant(config, first.tokens.refresh_token);
    return { ...await summary(first), refreshed: refreshed.claims() };
  },

  // FAPI 2.0: pushed, private_key_jwt with PS256, tokens bound to a key.
  async fapi2() {
    const config = await configure('fapi',
      client.PrivateKeyJwt(await keyOf(job.clients.fapi.jwk)));
    const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'));
    const first = await signIn(config, { options: { DPoP }, build: (its, parameters) =>
      client.buildAuthorizationUrlWithPAR(its, parameters, { DPoP }) });
    const user = await client.fetchUserInfo(config, first.tokens.access_token, first.claims.sub,
      { DPoP });
    return { ...await summary(first), user };
  },

  async dpop() {
    const config = await configure('spa', client.None());
    const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'));
    const first = await signIn(config, { options: { DPoP },
      parameters: { dpop_jkt: await DPoP.calculateThumbprint() } });
    const user = await client.fetchUserInfo(config, first.tokens.access_token, first.claims.sub,
      { DPoP });
    const refreshed = await client.refreshTokenGrant(config, first.tokens.refresh_token, undefined,
      { DPoP });
    const refused = await client.refreshTokenGrant(config, refreshed.refresh_token)
      .catch((error) => error.error);
    return { ...await summary(first), user, refreshed: refreshed.token_type, refused };
  },

  async device() {
    const config = await configure('tv', client.None());
    const device = await client.initiateDeviceAuthorization(config, { scope: job.scope });
    const early = await client.genericGrantRequest(config,
      'urn:ietf:params:oauth:grant-type:device_code', { device_code: device.device_code })
      .catch((error) => error.error);
    await approveDevice(person, device.verification_uri_complete);
    const tokens = await client.pollDeviceAuthorizationGrant(config, device);
    return { early, user_code: device.user_code, scope: tokens.scope, claims: tokens.claims() };
  },

  async logout() {
    const config = await configure('web');
    const { tokens } = await signIn(config);
    const away = await person.send(client.buildEndSessionUrl(config, { state: 'bye',
      post_logout_redirect_uri: 'https://rp.example/out', id_token_hint: tokens.id_token }).href)
      ?? await person.press('ok');
    const asked = await checksOf({ prompt: 'none' });
    const answer = await person.send(client.buildAuthorizationUrl(config, asked.parameters).href);
    const silent = await client.authorizationCodeGrant(config, answer, asked.checks)
      .catch((error) => error.error);
    return { away: away.href, silent };
  },

  async revocation() {
    const config = await configure('web');
    const { tokens } = await signIn(config);
    const before = await client.tokenIntrospection(config, tokens.access_token);
    await client.tokenRevocation(config, tokens.refresh_token, { token_type_hint: 'refresh_token' });
    return { before, after: await client.tokenIntrospection(config, tokens.access_token) };
  },

  async errors() {
    const config = await configure('web');
    const seen = {};
    for (const [name, parameters] of Object.entries({
      silent: { prompt: 'none' }, scope: { scope: 'openid nonsense' },
      target: { resource: 'https://nobody.example' } })) {
      const asked = await checksOf(parameters);
      const answer = await new Person(job.issuer, job.user)
        .send(client.buildAuthorizationUrl(config, asked.parameters).href);
      seen[name] = await client.authorizationCodeGrant(config, answer, asked.checks)
        .catch((error) => error.error);
    }
    return seen;
  },
};

console.log(JSON.stringify(await flows[job.flow]()));
