// Webmail: the page of whoever reads mail here. It speaks JMAP; only logging in is its own.

import { effect, untracked } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import * as api from '../api/webmail'
import { loginNeeded } from '../api/wire'
import { Confirmations, Guard, LoginView, Palette, paletteOpen, Popups, start, Toasts, type Command } from '../kit'
import * as actions from './actions'
import { Viewer } from './attachments'
import { Compose, openCompose, openScheduled } from './compose'
import { Dialogs } from './dialogs'
import { Frame, windowTitle } from './frame'
import { Help, helpOpen } from './help'
import { InboxDialogs, isAsking, startGuest } from './inbox'
import { startHints, startKeys } from './keys'
import { startLetterKeys } from './letterkeys'
import { logOut } from './logout'
import { mailboxIcon, tree } from './mailboxes'
import { byRole, follow, mailboxes, nameOf, preferences } from './model'
import { startNews } from './news'
import { go, mailtoOf, place, startPlace, toMailbox, writingOf } from './place'
import { focusSearch, isFormOpen } from './search'
import { openSettings } from './settings'
import { layout, startView, target, threading } from './view'
import './webmail.css'

async function logIn(address: string, password: string, code: string): Promise<string> {
  const token = await api.LoginPrep()
  return api.Login(token, address, password, code === '' ? undefined : code)
}

function commands(): Command[] {
  const act = (run: (of: actions.Target) => unknown, whole = false) => () => { void run(target(whole)) }
  return [
    { title: 'Compose', icon: 'edit', kind: 'c', run: () => openCompose({ kind: 'new' }) },
    { title: 'Search', icon: 'search', kind: '/', run: focusSearch },
    { title: 'Search form', icon: 'filter', run: () => { isFormOpen.value = true } },
    ...tree.value.map(({ box }): Command => ({ title: nameOf(box), kind: 'mailbox', icon: mailboxIcon(box), run: () => toMailbox(nameOf(box)) })),
    { title: 'Archive', icon: 'archive', kind: 'a', run: act(actions.archive) },
    { title: 'To the trash', icon: 'trash', kind: 'd', run: act(actions.trash) },
    { title: 'Junk', icon: 'spam', kind: 'q', run: act(actions.junk) },
    { title: 'Not junk', icon: 'check', kind: 'Q', run: act(of => actions.notJunk(of, preferences.peek().rejects)) },
    { title: 'Mark as read', icon: 'check', kind: 'm', run: act(of => actions.markRead(of), true) },
    { title: 'Mark as unread', icon: 'unread', kind: 'M', run: act(actions.markUnread) },
    { title: 'Flag', icon: 'flag', kind: 's', run: act(of => actions.flag(of, true)) },
    { title: 'Mute the thread', icon: 'mute', kind: 'X', run: act(of => actions.mute(of, true), true) },
    { title: 'Layout: message at the right', icon: 'layout', run: () => { layout.value = 'right' } },
    { title: 'Layout: message below', icon: 'layout', run: () => { layout.value = 'bottom' } },
    { title: 'Layout: as the window allows', icon: 'layout', run: () => { layout.value = 'auto' } },
    { title: 'Threads', icon: 'list', run: () => { threading.value = 'on' } },
    { title: 'Threads, unfolded where unread', icon: 'list', run: () => { threading.value = 'unread' } },
    { title: 'Single messages', icon: 'list', run: () => { threading.value = 'off' } },
    { title: 'Settings', icon: 'gear', run: () => openSettings() },
    { title: 'Messages to be sent later', icon: 'clock', run: openScheduled },
    { title: 'Keys and help', icon: 'keyboard', kind: '?', run: () => { helpOpen.value = true } },
    { title: 'Log out', icon: 'exit', run: () => { void logOut() } },
  ]
}

function App() {
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if (event.key !== 'k' || !(event.ctrlKey || event.metaKey) || event.altKey) return
      event.preventDefault()
      paletteOpen.value = true
    }
    document.addEventListener('keydown', pressed)
    return () => document.removeEventListener('keydown', pressed)
  }, [])
  return <>
    <Guard><Frame onLogOut={logOut} onSettings={() => openSettings()} /></Guard>
    <Compose />
    <Viewer />
    <Dialogs />
    <InboxDialogs />
    {helpOpen.value && <Help />}
    {paletteOpen.value && <Palette commands={commands()} />}
    {loginNeeded.value && !isAsking.value && <LoginView application="moxpy webmail" withAddress logIn={({ address, password, code }) => logIn(address, password, code)}
      passkeys={{ ask: api.PasskeyLoginPrep, alone: api.PasskeyLogin, beside: (token, { address, password }, answer) => api.Login(token, address, password, undefined, answer) }} />}
    <Popups />
    <Confirmations />
    <Toasts />
  </>
}

start('webwebmail', 'moxpy', <App />)
startPlace()
startGuest((address, password) => logIn(address, password, ''))
startView()
startKeys()
startHints()
startLetterKeys()
startNews()
follow()
// The page opens without network, too, once this has been here.
if ('serviceWorker' in navigator && import.meta.env.PROD) window.addEventListener('load', () => {
  navigator.serviceWorker.register('worker.js').catch(() => undefined)
})
effect(() => {
  const inbox = byRole('inbox')
  document.title = windowTitle(mailboxes.value.length > 0 && inbox ? inbox.unreadEmails : 0)
})
// Whoever stands before the login may be somebody else than who was here before.
effect(() => { document.documentElement.classList.toggle('locked', loginNeeded.value) })
// A link that another program opened here; or a draft that was written when the page was left.
const mailto = mailtoOf(location.hash), written = writingOf(location.hash)
if (written !== null) untracked(() => openCompose({ kind: 'draft', emailId: written }))
if (mailto !== null) untracked(() => {
  openCompose({ kind: 'mailto', mailto })
  go({ ...place.peek(), email: null }, true)
})
