// Who is logged in, and the form for it.
import { setText } from "./dom.js";
import { reason, setCredentials, tell, who } from "./api.js";

export class Login {
  /** place(): the path of the znode that is shown; changed(): somebody came or went. */
  constructor({ button, form, user, password, fault }, place, changed) {
    Object.assign(this, { button, form, user, password, fault, changed });
    button.addEventListener("click", () => this.press());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.enter(place());
    });
  }

  press() {
    if (who() !== null) {
      setCredentials(null);
      this.show();
      this.changed();
      return;
    }
    this.form.hidden = !this.form.hidden;
    this.button.setAttribute("aria-expanded", `${!this.form.hidden}`);
    if (!this.form.hidden) this.user.focus();
  }

  say(text) {
    setText(this.fault, text);
    this.fault.hidden = text === "";
  }

  async enter(path) {
    const [user, password] = [this.user.value, this.password.value];
    if (!/^[!-9;-~]+$/.test(user) || !/^[ -~]+$/.test(password)) {
      this.say("Letters, digits and signs of ASCII alone, and no colon in the name of the user.");
      return;
    }
    setCredentials(`${user}:${password}`);
    try {
      await tell("login", { path });
      this.password.value = "";
      this.say("");
      this.form.hidden = true;
      this.button.setAttribute("aria-expanded", "false");
      this.button.focus();
    } catch (error) {
      setCredentials(null);
      this.say(`Not logged in: ${reason(error)}.`);
    }
    this.show();
    this.changed();
  }

  show() {
    setText(this.button, who() === null ? "Log in" : `Log out ${who()}`);
  }
}
