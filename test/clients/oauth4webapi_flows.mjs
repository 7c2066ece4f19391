// One flow of oauth4webapi with a Jeton, and what it led to as one JSON object.
//
// The job comes as JSON on standard input (flow_job.mjs). Every step goes through the library's own
// checks (process…Response), which throw when an answer is not as the RFC has it.

import * as oauth from 'oauth4webapi';
import { Person, approveDevice } from './person.mjs';
import { callback, job, keyOf } from './flow_job.mjs';

const plain = { [oauth.allowInsecureRequests]: true };
const person = new Person(job.issuer, job.user);
const issuer = new URL(job.issuer);
const as = await oauth.processDiscoveryResponse(issuer,
  await oauth.discoveryRequest(issuer, plain));

function clientOf(name) {
  return { client_id: job.clients[name].id };
}

function secretOf(name) {
  return oauth.ClientSecretBasic(job.clients[name].secret);
}

// Does something with proofs, once more when the server asked for a nonce.
async function withNonce(act) {
  try {
    return await act();
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) {
      throw error;
    }
    return act();
  }
}

// The whole way. away makes the address of the request out of its parameters.
async function signIn({ client, authentication, parameters = {}, DPoP, away }) {
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const nonce = oauth.generateRandomNonce();
  const asked = { client_id: client.client_id, redirect_uri: callback, response_type: 'code',
    scope: job.scope, state, nonce, code_challenge_method: 'S256',
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier), ...parameters };
  const url = new URL(as.authorization_endpoint);
  url.search = new URLSearchParams(away ? await away(asked) : asked);
  const sent = await person.authorize(url);
  const answer = sent instanceof Request ? new URLSearchParams(await sent.text()) : sent;
  const code = oauth.validateAuthResponse(as, client, answer, state);
  const options = { ...plain, DPoP };
  const { tokens, response } = await withNonce(async () => {
    const got = await oauth.authorizationCodeGrantRequest(as, client, authentication, code,
      callback, verifier, options);
    return { response: got, tokens: await oauth.processAuthorizationCodeResponse(as, client,
      got, { expectedNonce: nonce, requireIdToken: true }) };
  });
  await oauth.validateApplicationLevelSignature(as, response, plain);
  return { tokens, claims: oauth.getValidatedIdTokenClaims(tokens),
    parameters: [...url.searchParams.keys()].sort() };
}

async function userOf(client, { tokens, claims }, DPoP) {
  return withNonce(async () => oauth.processUserInfoResponse(as, client, claims.sub,
    await oauth.userInfoRequest(as, client, tokens.access_token, { ...plain, DPoP })));
}

async function refresh(client, authentication, token, DPoP) {
  return withNonce(async () => oauth.processRefreshTokenResponse(as, client,
    await oauth.refreshTokenGrantRequest(as, client, authentication, token, { ...plain, DPoP })));
}

async function push(client, authentication, asked, DPoP) {
  const pushed = await withNonce(async () => oauth.processPushedAuthorizationResponse(as, client,
    await oauth.pushedAuthorizationRequest(as, client, authentication, asked, { ...plain, DPoP })));
  return { client_id: client.client_id, request_uri: pushed.request_uri };
}

function summary({ tokens, claims, parameters }) {
  return { token_type: tokens.token_type, scope: tokens.scope, claims, parameters };
}

const flows = {
  async code() {
    const web = { client: clientOf('web'), authentication: secretOf('web') };
    const first = await signIn(web);
    const user = await userOf(web.client, first);
    const refreshed = await refresh(web.client, web.authentication, first.tokens.refresh_token);
    return { ...summary(first), user, refreshed: oauth.getValidatedIdTokenClaims(refreshed),
      rotated: refreshed.refresh_token !== first.tokens.refresh_token };
  },

  async post() {
    return summary(await signIn({ client: clientOf('poster'),
      authentication: oauth.ClientSecretPost(job.clients.poster.secret) }));
  },

  async public() {
    return summary(await signIn({ client: clientOf('spa'), authentication: oauth.None() }));
  },

  async form_post() {
    return summary(await signIn({ client: clientOf('web'), authentication: secretOf('web'),
      parameters: { response_mode: 'form_post' } }));
  },

  async pushed() {
    const web = { client: clientOf('web'), authentication: secretOf('web') };
    return summary(await signIn({ ...web,
      away: (asked) => push(web.client, web.authentication, asked) }));
  },

  async signed() {
    const client = clientOf('keyed');
    const key = await keyOf(job.clients.keyed.jwk);
    return summary(await signIn({ client, authentication: oauth.PrivateKeyJwt(key),
      away: async (asked) => ({ client_id: client.client_id,
        request: await oauth.issueRequestObject(as, client, asked, key) }) }));
  },

  async private_key_jwt() {
    const client = clientOf('keyed');
    const authentication = oauth.PrivateKeyJwt(await keyOf(job.clients.keyed.jwk));
    const first = await signIn({ client, authentication });
    const refreshed = await refresh(client, authentication, first.tokens.refresh_token);
    return { ...summary(first), refreshed: oauth.getValidatedIdTokenClaims(refreshed) };
  },

  // FAPI 2.0: pushed, private_key_jwt with PS256, tokens bound to a key.
  async fapi2() {
    const client = clientOf('fapi');
    const authentication = oauth.PrivateKeyJwt(await keyOf(job.clients.fapi.jwk));
    const DPoP = oauth.DPoP(client, await oauth.generateKeyPair('ES256'));
    const first = await signIn({ client, authentication, DPoP,
      away: (asked) => push(client, authentication, asked, DPoP) });
    return { ...summary(first), user: await userOf(client, first, DPoP) };
  },

  async dpop() {
    const client = clientOf('spa');
    const DPoP = oauth.DPoP(client, await oauth.generateKeyPair('ES256'));
    const first = await signIn({ client, authentication: oauth.None(), DPoP,
      parameters: { dpop_jkt: await DPoP.calculateThumbprint() } });
    const user = await userOf(client, first, DPoP);
    const refreshed = await refresh(client, oauth.None(), first.tokens.refresh_token, DPoP);
    const refused = await refresh(client, oauth.None(), refreshed.refresh_token)
      .catch((error) => error.error);
    return { ...summary(first), user, refreshed: refreshed.token_type, refused };
  },

  async device() {
    const client = clientOf('tv');
    const device = await oauth.processDeviceAuthorizationResponse(as, client,
      await oauth.deviceAuthorizationRequest(as, client, oauth.None(), { scope: job.scope },
        plain));
    const poll = async () => oauth.processDeviceCodeResponse(as, client,
      await oauth.deviceCodeGrantRequest(as, client, oauth.None(), device.device_code, plain));
    const early = await poll().catch((error) => error.error);
    await approveDevice(person, device.verification_uri_complete);
    await new Promise((resolve) => { setTimeout(resolve, device.interval * 1000); });
    const tokens = await poll();
    return { early, user_code: device.user_code, scope: tokens.scope,
      claims: oauth.getValidatedIdTokenClaims(tokens) };
  },

  async logout() {
    const client = clientOf('web');
    const { tokens } = await signIn({ client, authentication: secretOf('web') });
    const url = new URL(as.end_session_endpoint);
    url.search = new URLSearchParams({ state: 'bye', id_token_hint: tokens.id_token,
      post_logout_redirect_uri: 'https://rp.example/out' });
    const away = await person.send(url.href) ?? await person.press('ok');
    const silent = await signIn({ client, authentication: secretOf('web'),
      parameters: { prompt: 'none' } }).catch((error) => error.error);
    return { away: away.href, silent };
  },

  async revocation() {
    const client = clientOf('web');
    const { tokens } = await signIn({ client, authentication: secretOf('web') });
    const introspect = async () => oauth.processIntrospectionResponse(as, client,
      await oauth.introspectionRequest(as, client, secretOf('web'), tokens.access_token, plain));
    const before = await introspect();
    await oauth.processRevocationResponse(await oauth.revocationRequest(as, client,
      secretOf('web'), tokens.refresh_token, plain));
    return { before, after: await introspect() };
  },

  async errors() {
    const web = { client: clientOf('web'), authentication: secretOf('web') };
    const seen = {};
    for (const [name, parameters] of Object.entries({
      silent: { prompt: 'none' }, scope: { scope: 'openid nonsense' },
      target: { resource: 'https://nobody.example' } })) {
      seen[name] = await signIn({ ...web, parameters }).catch((error) => error.error);
    }
    return seen;
  },
};

console.log(JSON.stringify(await flows[job.flow]()));
