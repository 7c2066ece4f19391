// An express application whose people sign in with passport-oauth2, and one of them who does.
//
// The job comes as JSON on standard input: issuer, client, user. Prints what the application knows.

import express from 'express';
import session from 'express-session';
import passport from 'passport';
import { Strategy } from 'passport-oauth2';
import { Person } from './person.mjs';
import { job } from './flow_job.mjs';

const app = express();
app.use(session({ secret: 'of this test alone', resave: false, saveUninitialized: false }));
app.use(passport.initialize());
passport.serializeUser((user, done) => done(null, user));

const server = app.listen(0, '127.0.0.1');
await new Promise((resolve) => { server.once('listening', resolve); });
const root = `http://127.0.0.1:${server.address().port}`;

const found = await (await fetch(`${job.issuer}/.well-known/openid-configuration`)).json();
const strategy = new Strategy({ authorizationURL: found.authorization_endpoint,
  tokenURL: found.token_endpoint, clientID: job.client.id, clientSecret: job.client.secret,
  callbackURL: `${root}/cb`, scope: ['openid', 'email'], state: true, pkce: 'S256' },
(accessToken, refreshToken, results, profile, done) => done(null,
  { ...profile, has_refresh_token: Boolean(refreshToken), token_type: results.token_type }));
strategy.userProfile = async (accessToken, done) => {
  const answer = await fetch(found.userinfo_endpoint,
    { headers: { authorization: `Bearer ${accessToken}` } });
  done(null, await answer.json());
};
passport.use(strategy);
app.get('/login', passport.authenticate('oauth2'));
app.get('/cb', passport.authenticate('oauth2', { failureMessage: true }),
  (request, response) => response.json(request.user));
app.use((error, request, response, next) => { // eslint-disable-line no-unused-vars
  response.status(500).json({ name: error.name, code: error.code, message: error.message });
});

const atApp = new Person(root);
const atJeton = new Person(job.issuer, job.user);
const asked = await atApp.send(`${root}/login`);
const answer = await atJeton.authorize(asked);
await atApp.send(answer.href);
const user = { status: atApp.status, ...JSON.parse(atApp.page) };

// The same answer once more: the state is used up, and so is the code.
await atApp.send(answer.href);
const again = atApp.status;

// A no, and a person who was not asked.
const second = await atApp.send(`${root}/login`);
second.searchParams.set('scope', 'openid nonsense');
const refused = await atJeton.send(second.href);
await atApp.send(refused.href);
console.log(JSON.stringify({ user, again, parameters: [...asked.searchParams.keys()].sort(),
  refused: JSON.parse(atApp.page) }));
server.close();
server.closeAllConnections();
