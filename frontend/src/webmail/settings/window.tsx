// Settings of webmail: of the account, on the server; and of this browser.

import { call } from '../../api/jmap/client'
import type { Patch, Preferences } from '../../api/jmap/types'
import { Button, Checkbox, Dialog, Fields, Form, LinkButton, ListField, Select, Tabs, TextArea, toast, useForm, type IconName } from '../../kit'
import { theme, type Theme } from '../../lib/theme'
import { accountPages, preferences } from '../model'
import { isNotifying, mayNotify, notify } from '../news'
import { settings, type SettingsTab } from '../settings'
import { Senders } from './senders'
import { Vacation } from './vacation'
import './settings.css'

export function SettingsWindow() {
  return <Dialog title="Settings" wide onClose={() => { settings.value = null }}>
    <div class="settings"><Tabs label="Settings" current={settings.value ?? undefined} onChange={id => { settings.value = id as SettingsTab }} tabs={[
      { id: 'reading', title: 'Reading', view: () => <Reading /> },
      { id: 'writing', title: 'Writing', view: () => <Writing /> },
      { id: 'senders', title: 'Addresses and signatures', view: () => <Senders /> },
      { id: 'vacation', title: 'Vacation', view: () => <Vacation /> },
      { id: 'browser', title: 'This browser', view: () => <Browser /> },
    ]} /></div>
  </Dialog>
}

/** Saves what differs, and has the page know it. */
async function savePreferences(given: Partial<Preferences>): Promise<void> {
  const before = preferences.peek() as unknown as Record<string, unknown>, update: Patch = {}
  for (const [name, value] of Object.entries(given)) if (JSON.stringify(value) !== JSON.stringify(before[name])) update[name] = value
  if (Object.keys(update).length === 0) return
  await call('Preferences/set', { update })
  preferences.value = { ...preferences.peek(), ...given }
}

function Reading() {
  const { showHTML, showHeaders, noShowShortcuts } = preferences.value
  const form = useForm({ mode: showHTML ? 'html' : 'text', showHeaders, flash: !noShowShortcuts }, {
    save: values => savePreferences({ showHTML: values.mode === 'html', showHeaders: values.showHeaders, noShowShortcuts: !values.flash }),
    check: values => values.showHeaders.some(one => !/^[!-9;-~]+$/.test(one)) ? { showHeaders: 'Names of header fields, one a line' } : {},
  })
  return <Form model={form}>
    <Select label="Messages are shown" bind={form.field('mode')} choices={[{ value: 'html', label: 'as they were written, without pictures from elsewhere' }, { value: 'text', label: 'as plain text' }]}
      help="Of senders for whom you have not chosen otherwise, with the buttons above a message." />
    <ListField label="Header fields to show" bind={form.field('showHeaders')} rows={3} mono placeholder="User-Agent" help="Beside the usual ones, one name a line." />
    <Checkbox label="Show the key of a button when it is clicked" bind={form.field('flash')} help="So that keys are learned by using the mouse." />
  </Form>
}

const UNDO = [0, 5, 10, 20, 30, 60]

function Writing() {
  const wishes = preferences.value
  const form = useForm({
    mode: wishes.composeHTML ? 'html' : 'text', quoting: wishes.quoting, undo: String(wishes.undoSeconds), security: wishes.showAddressSecurity, signature: wishes.signature,
  }, {
    save: values => savePreferences({
      composeHTML: values.mode === 'html', quoting: values.quoting, undoSeconds: Number(values.undo), showAddressSecurity: values.security, signature: values.signature,
    }),
  })
  const seconds = [...new Set([...UNDO, wishes.undoSeconds])].sort((one, other) => one - other)
  return <Form model={form}>
    <Fields>
      <Select label="New messages" bind={form.field('mode')} choices={[{ value: 'text', label: 'in plain text' }, { value: 'html', label: 'with formatting' }]} help="It can be changed while writing." />
      <Select label="Sending can be undone for" bind={form.field('undo')} choices={seconds.map(one => ({ value: String(one), label: one === 0 ? 'no time' : `${one} seconds` }))}
        help="So long a message waits on the server." />
    </Fields>
    <Select label="Replies quote" bind={form.field('quoting')} choices={[
      { value: 'auto', label: 'what is selected, else all of it below what you write' }, { value: 'top', label: 'below what you write' }, { value: 'bottom', label: 'above what you write' },
    ]} />
    <Checkbox label="Show how safely mail reaches each recipient" bind={form.field('security')} help="Five marks below an address: STARTTLS, MTA-STS, DNSSEC, DANE, RequireTLS. They are looked up while you type." />
    <TextArea label="Signature" bind={form.field('signature')} rows={4} help="Of all your addresses that have none of their own." />
  </Form>
}

const THEMES: readonly (readonly [Theme, string, IconName])[] = [['system', 'As the system', 'screen'], ['light', 'Light', 'sun'], ['dark', 'Dark', 'moon']]
function Browser() {
  const pages = accountPages.value, may = mayNotify()
  const address = `${location.origin}${location.pathname}#compose%20%s`
  const register = () => {
    try {
      navigator.registerProtocolHandler('mailto', address)
      toast('The browser may ask you to allow it.')
    } catch {
      toast('This browser cannot do that here. It needs a secure connection (https).', 'bad')
    }
  }
  const unregister = () => {
    const known = navigator as Navigator & { unregisterProtocolHandler?: (scheme: string, url: string) => void }
    if (known.unregisterProtocolHandler) known.unregisterProtocolHandler('mailto', address)
    else toast('This browser takes it back in its own settings only: look for protocol handlers.', 'warn')
  }
  return <div class="form">
    <div class="field"><span class="label">Colours</span>
      <div class="row" role="group" aria-label="Colours">
        {THEMES.map(([one, text, icon]) => <Button key={one} icon={icon} pressed={theme.value === one} tone={theme.value === one ? 'primary' : 'plain'} onPress={() => { theme.value = one }}>{text}</Button>)}
      </div>
    </div>
    <div class="field"><span class="label">Links to e-mail addresses</span>
      <div class="row"><Button icon="link" onPress={register}>Open them here</Button><Button onPress={unregister}>No longer</Button></div>
      <span class="help">Links like mailto:anna@example.org on other pages begin a message in this webmail.</span>
    </div>
    <div class="check">
      <input type="checkbox" id="notify" checked={isNotifying.value} disabled={may === 'none'} onChange={event => {
        const box = event.currentTarget
        // The browser may say no.
        void notify(box.checked).then(on => { box.checked = on })
      }} />
      <div><label for="notify">Tell of new mail</label>
        <div class="help">{may === 'none' ? 'This browser cannot, or needs a secure connection (https).' : may === 'denied' ? 'You have forbidden notifications of this page in the browser.' : 'By the system, while this page is not in front; as long as you are logged in also when it is closed, where the browser has a push service.'}</div></div>
    </div>
    {pages !== null && <div class="field"><span class="label">The account</span>
      <div class="row">
        <LinkButton href={`${pages}#/password`} external icon="lock">Password</LinkButton><LinkButton href={`${pages}#/apppasswords`} external icon="key">App passwords</LinkButton>
        <LinkButton href={`${pages}#/addresses`} external icon="mail">Addresses and rules</LinkButton><LinkButton href={`${pages}#/data`} external icon="download">Import and export</LinkButton>
      </div>
    </div>}
  </div>
}

