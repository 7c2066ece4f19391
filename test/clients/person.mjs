// Somebody at a browser without scripts, on fetch alone: follows redirects within one server, fills
// in the forms of its pages and presses their buttons. Elements are named by their ids.

const entities = { amp: '&', lt: '<', gt: '>', quot: '"', '#34': '"', '#39': "'" };

function unescape(text) {
  return text.replace(/&(#?\w+);/g, (all, name) => entities[name] ?? all);
}

function attributesOf(tag) {
  const found = {};
  for (const [, name, value] of tag.matchAll(/([\w-]+)(?:="([^"]*)")?/g)) {
    found[name] = unescape(value ?? '');
  }
  return found;
}

export class Person {
  constructor(root, user) {
    this.root = root;
    this.user = user;
    this.cookies = new Map();
    this.page = '';
    this.url = root;
  }

  // Ends where the browser is sent to another site (an address is then answered), or at a page.
  async send(url, body) {
    for (let hop = 0; hop < 8; hop += 1) {
      const headers = {
        cookie: [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; '),
      };
      if (body) {
        headers.origin = this.root;
        headers['content-type'] = 'application/x-www-form-urlencoded';
      }
      const answer = await fetch(url, { method: body ? 'POST' : 'GET', headers, redirect: 'manual',
        body: body?.toString() });
      for (const line of answer.headers.getSetCookie()) {
        const [pair] = line.split(';');
        const at = pair.indexOf('=');
        this.cookies.set(pair.slice(0, at), pair.slice(at + 1));
      }
      this.status = answer.status;
      this.page = await answer.text();
      this.url = url;
      const location = answer.headers.get('location');
      if (location === null) {
        return null;
      }
      const next = new URL(location, url);
      if (next.origin !== this.root) {
        return next;
      }
      url = next.href;
      body = undefined;
    }
    throw new Error(`too many redirects at ${url}`);
  }

  has(id) {
    return this.page.includes(` id="${id}"`);
  }

  // Where a button's form goes, and what it holds, with some fields filled in.
  formOf(button, values = {}) {
    for (const [form] of this.page.matchAll(/<form[^]*?<\/form>/g)) {
      const pressed = [...form.matchAll(/<button\b[^>]*>/g)].map(([tag]) => attributesOf(tag))
        .find((attributes) => attributes.id === button);
      if (pressed) {
        const body = new URLSearchParams();
        for (const [tag] of form.matchAll(/<input\b[^>]*>/g)) {
          const { id, name, value } = attributesOf(tag);
          if (name) {
            body.append(name, values[id] ?? value ?? '');
          }
        }
        if (pressed.name) {
          body.append(pressed.name, pressed.value ?? '');
        }
        return { action: new URL(attributesOf(form.match(/<form\b[^>]*>/)[0]).action, this.url), body };
      }
    }
    throw new Error(`no button ${button} at ${this.url} (${this.status}): ${this.page.slice(0, 2000)}`);
  }

  async press(button, values) {
    const { action, body } = this.formOf(button, values);
    return this.send(action.href, body);
  }

  // Opens an authorization request, signs in and allows as asked; answers the address, or the
  // Request of a form_post, that the browser is sent to the client with.
  async authorize(url) {
    let away = await this.send(url.href ?? url);
    for (let step = 0; away === null && step < 4; step += 1) {
      if (this.has('sign-in') && this.has('username')) {
        away = await this.press('sign-in',
          { username: this.user.name, password: this.user.password });
      } else if (this.has('confirm')) {
        away = await this.press('confirm', { password: this.user.password });
      } else if (this.has('allow')) {
        away = await this.press('allow');
      } else if (this.has('continue')) {
        const { action, body } = this.formOf('continue');
        return new Request(action, { method: 'POST', body });
      } else {
        throw new Error(`stuck at ${this.url} (${this.status}): ${this.page.slice(0, 3000)}`);
      }
    }
    return away;
  }
}

// Follows the address that a device shows, and allows it.
export async function approveDevice(person, address) {
  await person.send(address);
  for (let step = 0; step < 4; step += 1) {
    if (person.has('sign-in') && person.has('username')) {
      await person.press('sign-in', { username: person.user.name, password: person.user.password });
    } else if (person.has('allow')) {
      await person.press('allow');
      return;
    } else {
      await person.press('go-on');
    }
  }
  throw new Error(`the device was not allowed at ${person.url}: ${person.page.slice(0, 2000)}`);
}
