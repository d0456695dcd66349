// Shell: what is around every page of an application: the way between pages (a sidebar where there is room, a drawer
// where there is not), the theme, logging out, and the places for toasts, questions, the command palette and the login.
// It tells when the server has become another version.

import type { ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { isOutdated, loginNeeded } from '../api/wire'
import { listen } from '../lib/keyboard'
import { route } from '../lib/router'
import { nextTheme, theme } from '../lib/theme'
import { Button } from './button'
import { Confirmations } from './dialog'
import { Icon, type IconName } from './icon'
import icon from './icon.svg'
import { Palette, paletteOpen, type Command } from './palette'
import { Toasts } from './toast'
import './shell.css'

export interface Place {
  title: string
  icon: IconName
  /** The first segments of its pages' path. */
  path: readonly string[]
  href: string
  /** Beside it: how many wait there. */
  count?: ComponentChildren
}

export interface PlaceGroup {
  title?: string
  places: readonly Place[]
}

interface Props {
  /** "Administration", below the name of the server. */
  application: string
  groups: readonly PlaceGroup[]
  /** Who is logged in. */
  who?: string
  onLogOut: () => unknown
  /** Shown instead of the pages, or before them, when somebody has to log in. */
  login: ComponentChildren
  /** Of the palette, beside the places. */
  commands?: readonly Command[]
  children: ComponentChildren
}

const THEMES = { system: ['screen', 'Colours as the system has them'], light: ['sun', 'Light colours'], dark: ['moon', 'Dark colours'] } as const

export function Shell({ application, groups, who, onLogOut, login, commands = [], children }: Props) {
  const [drawer, setDrawer] = useState(false), opener = useRef<HTMLElement>(null), main = useRef<HTMLElement>(null)
  const path = route.value.path.join('/')
  useEffect(() => {
    setDrawer(false)
    window.scrollTo(0, 0)
  }, [path])
  useEffect(() => {
    if (!drawer) return
    document.querySelector<HTMLElement>('.sidebar nav a')?.focus()
    const stop = listen([{ key: 'Escape', what: '', run: () => {
      setDrawer(false)
      opener.current?.querySelector('button')?.focus()
    } }])
    return stop
  }, [drawer])
  useEffect(() => listen([{ key: 'ctrl+k', what: 'Go to', run: () => { paletteOpen.value = true } }]), [])
  const brand = <a class="brand" href="#/"><img src={icon} alt="" /><span>moxpy <small>{application}</small></span></a>
  const [themeIcon, themeText] = THEMES[theme.value]
  return <>
    <a class="skip" href="#main" onClick={event => {
      event.preventDefault()
      main.current?.focus()
    }}>Skip to the content</a>
    <div class="shell">
      <header class="topbar" ref={opener}>
        <Button tone="quiet" square icon="menu" expanded={drawer} onPress={() => setDrawer(!drawer)}>Menu</Button>
        {brand}
        <Button tone="quiet" square icon="search" onPress={() => { paletteOpen.value = true }}>Go to</Button>
      </header>
      <aside class={`sidebar${drawer ? ' open' : ''}`}>
        {brand}
        <nav aria-label="Pages">
          {groups.map((group, index) => <div key={group.title ?? index}>
            {group.title && <h2>{group.title}</h2>}
            <ul>{group.places.map(place => <li key={place.href}>
              <a href={place.href} aria-current={isWithin(place, groups) ? 'page' : undefined}>
                <Icon name={place.icon} />{place.title}{place.count !== undefined && <span class="count">{place.count}</span>}
              </a>
            </li>)}</ul>
          </div>)}
        </nav>
        <footer>
          <span class="who" title={who}>{who}</span>
          <Button tone="quiet" small square icon="search" title="Go to (Ctrl K)" onPress={() => { paletteOpen.value = true }}>Go to</Button>
          <Button tone="quiet" small square icon={themeIcon} title={themeText} onPress={nextTheme}>{themeText}</Button>
          <Button tone="quiet" small square icon="exit" onPress={onLogOut}>Log out</Button>
        </footer>
      </aside>
      {drawer && <button type="button" class="veil" aria-label="Close the menu" onClick={() => setDrawer(false)} />}
      <main ref={main} tabIndex={-1} id="main">
        {isOutdated.value && <div class="outdated" role="alert">
          The server was updated. <Button small onPress={() => location.reload()}>Load this page anew</Button>
        </div>}
        <div class="content">{children}</div>
      </main>
    </div>
    {paletteOpen.value && <Palette commands={[...groups.flatMap(group => group.places.map(place => ({
      title: place.title, icon: place.icon, run: () => { location.hash = place.href },
    }))), ...commands]} />}
    {loginNeeded.value && login}
    <Confirmations />
    <Toasts />
  </>
}

/** The place whose path is the longest that the address begins with. */
function isWithin(place: Place, groups: readonly PlaceGroup[]): boolean {
  const here = route.value.path
  const fits = (one: Place) => one.path.every((part, index) => here[index] === part) && (one.path.length > 0 || here.length === 0)
  return fits(place) && !groups.some(group => group.places.some(one => one.path.length > place.path.length && fits(one)))
}
