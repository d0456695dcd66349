// The window: the bar on top, and the areas below it with the separators between them.

import { signal } from '@preact/signals'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { isLive, isOutdated } from '../api/wire'
import { Button, Icon, paletteOpen, popup } from '../kit'
import icon from '../kit/icon.svg'
import { nextTheme, theme } from '../lib/theme'
import { recall, remember } from '../lib/storage'
import { openCompose } from './compose'
import { openTab } from './documents'
import { helpOpen } from './help'
import { InboxPanel } from './inbox'
import { MessageList } from './list'
import { listing } from './listing'
import { MailboxList } from './mailboxes'
import { Reader } from './message'
import { accountPages, isOffline, ready, session, sync } from './model'
import { isNotifying, mayNotify, notify } from './news'
import { place, toMailbox } from './place'
import { SearchField } from './search'
import { isNarrow, layout, shownLayout, title, width } from './view'

/** Whether the mailboxes are shown over the rest, where they have no place beside it. */
export const drawer = signal(false)

const THEMES = { system: ['screen', 'Colours as the system has them'], light: ['sun', 'Light colours'], dark: ['moon', 'Dark colours'] } as const

interface Props {
  onLogOut: () => unknown
  onSettings: () => unknown
}

export function Frame(props: Props) {
  const isOver = width.value < 1000, kind = shownLayout.value, isReading = place.value.email !== null
  const areas = useRef<HTMLDivElement>(null), boxes = useRef<HTMLElement>(null)
  useEffect(() => {
    if (!drawer.value || !isOver) return
    boxes.current?.querySelector<HTMLElement>('a[aria-current], a')?.focus()
    const pressed = (event: KeyboardEvent) => {
      if (event.key !== 'Escape') return
      event.preventDefault()
      event.stopPropagation()
      drawer.value = false
    }
    document.addEventListener('keydown', pressed, true)
    return () => document.removeEventListener('keydown', pressed, true)
  }, [drawer.value, isOver])
  const wasReading = useRef(isReading)
  useEffect(() => {
    // Where one area covers the other, the focus goes with them.
    if (kind === 'narrow' && wasReading.current !== isReading) document.getElementById(isReading ? 'message' : 'messages')?.focus({ preventScroll: true })
    wasReading.current = isReading
  }, [isReading, kind])
  return <div class={`mailapp ${kind}${isOver ? ' over' : ''}${isReading ? ' reading' : ''}`}>
    <a class="skip" href="#messages" onClick={event => {
      event.preventDefault()
      document.getElementById('messages')?.focus()
    }}>Skip to the messages</a>
    <Top {...props} isOver={isOver} />
    <Notices />
    <div class="columns2">
      <aside ref={boxes} class={`boxes${drawer.value ? ' shown' : ''}`} inert={isOver && !drawer.value}>
        <Button tone="primary" icon="edit" title="Write a message (c)" onPress={() => {
          drawer.value = false
          openCompose({ kind: 'new' })
        }}>Compose</Button>
        <MailboxList />
        <InboxPanel />
      </aside>
      {isOver && drawer.value && <button type="button" class="veil" aria-label="Close the mailboxes" onClick={() => { drawer.value = false }} />}
      {!isOver && <Separator name="boxes" of={boxes} axis="x" least={160} most={420} usual={232} label="Width of the mailboxes" />}
      <main class="areas" ref={areas}>
        <MessageListArea />
        {kind !== 'narrow' && <Separator name={kind === 'right' ? 'list' : 'listheight'} of={areas} first axis={kind === 'right' ? 'x' : 'y'} least={kind === 'right' ? 300 : 140}
          most={kind === 'right' ? 1200 : 1000} usual={kind === 'right' ? 420 : 320} label={kind === 'right' ? 'Width of the list' : 'Height of the list'} />}
        <ReaderArea />
      </main>
    </div>
    {isNarrow.value && !isReading && <span class="floating"><Button tone="primary" icon="edit" onPress={() => openCompose({ kind: 'new' })}>Compose</Button></span>}
  </div>
}

function MessageListArea() {
  return <div class="area list" inert={isNarrow.value && place.value.email !== null}><MessageList /></div>
}

function ReaderArea() {
  return <div class="area message" hidden={isNarrow.value && place.value.email === null}><Reader /></div>
}

function Top({ onLogOut, onSettings, isOver }: Props & { isOver: boolean }) {
  const [themeIcon, themeText] = THEMES[theme.value], pages = accountPages.value, who = session.value?.username ?? ''
  return <header class="top">
    {isOver && <Button tone="quiet" square icon="menu" expanded={drawer.value} onPress={() => { drawer.value = !drawer.value }}>Mailboxes</Button>}
    <a class="brand" href="#Inbox" onClick={event => {
      event.preventDefault()
      toMailbox('')
    }} title="To the Inbox (i)"><img src={icon} alt="" /><span>moxpy</span></a>
    <SearchField />
    <Connection />
    <span class="wideonly">
      <Button tone="quiet" square icon="layout" onPress={event => popup(event.currentTarget as Element, 'Layout', [
        { text: 'As the window allows', checked: layout.value === 'auto', run: () => { layout.value = 'auto' } },
        { text: 'Message at the right', checked: layout.value === 'right', run: () => { layout.value = 'right' } },
        { text: 'Message below', checked: layout.value === 'bottom', run: () => { layout.value = 'bottom' } },
      ])}>Layout</Button>
      <Button tone="quiet" square icon={themeIcon} title={themeText} onPress={nextTheme}>{themeText}</Button>
      <Button tone="quiet" square icon="question" title="Keys and help (?)" onPress={() => { helpOpen.value = true }}>Keys and help</Button>
      <Button tone="quiet" square icon="gear" onPress={onSettings}>Settings</Button>
    </span>
    <Button tone="quiet" square icon="person" title={who} onPress={event => popup(event.currentTarget as Element, who, [
      { text: who, icon: 'person', run: () => undefined },
      null,
      { text: 'Settings', icon: 'gear', run: onSettings },
      { text: themeText, icon: themeIcon, run: nextTheme },
      { text: 'Keys and help', icon: 'keyboard', keys: '?', run: () => { helpOpen.value = true } },
      { text: 'Do anything by its name', icon: 'search', keys: 'Ctrl K', run: () => { paletteOpen.value = true } },
      ...mayNotify() === 'none' ? [] : [{ text: 'Tell of new mail', checked: isNotifying.value, run: () => notify(!isNotifying.peek()) }],
      ...pages === null ? [] : [{ text: 'The account: password, addresses, rules', icon: 'outside' as const, run: () => openTab(pages) }],
      null,
      { text: 'Log out', icon: 'exit', run: onLogOut },
    ])}>{`Account ${who}`}</Button>
  </header>
}

/** Until people are told that changes are not heard of: most times it is only a moment. */
const AWAY_MS = 4000

function Connection() {
  const [isLongAway, setLongAway] = useState(false), isAway = ready.value && !isLive.value
  useEffect(() => {
    setLongAway(false)
    if (!isAway) return
    const timer = setTimeout(() => setLongAway(true), AWAY_MS)
    return () => clearTimeout(timer)
  }, [isAway])
  if (isOffline.value) return <button type="button" class="connection off" onClick={retry} title="The server cannot be reached. What is shown may be old, and nothing can be changed. Press to try again."><Icon name="offline" size={16} /><span>Offline</span></button>
  if (isLongAway) return <span class="connection" role="status" title="Changes are not told of at the moment; the page tries to hear of them again."><Icon name="refresh" size={16} /><span>Connecting…</span></span>
  return null
}

async function retry(): Promise<void> {
  await sync()
  if (!isOffline.peek()) await listing.peek()?.reload()
}

function Notices() {
  return isOutdated.value ? <div class="outdated" role="alert">The server was updated. <Button small onPress={() => location.reload()}>Load this page anew</Button></div> : null
}

interface SeparatorProps {
  name: string
  of: { current: HTMLElement | null }
  /** The size is of the element's first child. */
  first?: boolean
  axis: 'x' | 'y'
  least: number
  most: number
  usual: number
  label: string
}

/** Drawn between two areas, and moved by pointer or arrow keys; remembered by this browser. */
function Separator({ name, of, first = false, axis, least, most, usual, label }: SeparatorProps) {
  const line = useRef<HTMLDivElement>(null)
  const known = () => Math.max(least, Math.min(most, Number(recall(`webmail.${name}`)) || usual))
  const put = (value: number) => {
    const box = line.current?.parentElement, room = (axis === 'x' ? box?.clientWidth : box?.clientHeight) ?? 0
    const size = Math.round(Math.max(least, Math.min(most, value, Math.max(least, room - (axis === 'x' ? 320 : 160)))))
    const element = first ? of.current?.firstElementChild as HTMLElement | null : of.current
    if (!element) return size
    element.style.flexBasis = `${size}px`
    line.current?.setAttribute('aria-valuenow', String(size))
    return size
  }
  useLayoutEffect(() => {
    put(known())
    return () => {
      const element = first ? of.current?.firstElementChild as HTMLElement | null : of.current
      if (element) element.style.flexBasis = ''
    }
  }, [name, width.value])
  const keep = (value: number) => remember(`webmail.${name}`, String(put(value)))
  return <div ref={line} class={`separator ${axis}`} role="separator" tabIndex={0} aria-orientation={axis === 'x' ? 'vertical' : 'horizontal'} aria-label={label} aria-valuemin={least} aria-valuemax={most}
    onPointerDown={event => {
      event.preventDefault()
      const target = event.currentTarget, element = first ? of.current?.firstElementChild : of.current, rect = element?.getBoundingClientRect()
      if (!rect) return
      target.setPointerCapture(event.pointerId)
      document.documentElement.classList.add('resizing')
      const move = (to: PointerEvent) => { put(axis === 'x' ? to.clientX - rect.left : to.clientY - rect.top) }
      const end = (to: PointerEvent) => {
        target.removeEventListener('pointermove', move)
        document.documentElement.classList.remove('resizing')
        keep(axis === 'x' ? to.clientX - rect.left : to.clientY - rect.top)
      }
      target.addEventListener('pointermove', move)
      target.addEventListener('pointerup', end, { once: true })
    }} onDblClick={() => keep(usual)} onKeyDown={event => {
      const by = { ArrowLeft: -16, ArrowUp: -16, ArrowRight: 16, ArrowDown: 16 }[event.key]
      if (by === undefined) return
      event.preventDefault()
      keep(known() + by)
    }} />
}

/** What the window is called: how many are new, and where one is. */
export function windowTitle(unread: number): string {
  return `${unread > 0 ? `(${unread}) ` : ''}${title.value} – moxpy`
}
