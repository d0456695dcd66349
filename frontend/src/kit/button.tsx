// Button: does something. LinkButton: leads somewhere. Both take an icon; `square` shows the icon alone, and the text
// is then read out. `busy` shows work and keeps the button from being pressed again.

import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import { Icon, type IconName } from './icon'
import { Spinner } from './progress'
import './button.css'

export type Tone = 'plain' | 'primary' | 'danger' | 'destroy' | 'quiet'

interface Look {
  tone?: Tone
  icon?: IconName
  small?: boolean
  square?: boolean
  children?: ComponentChildren
  title?: string | undefined
}

interface ButtonProps extends Look {
  /** A promise makes the button busy until it is settled; who makes it also tells what failed. */
  onPress?: (event: MouseEvent) => unknown
  type?: 'button' | 'submit'
  disabled?: boolean
  busy?: boolean
  pressed?: boolean
  expanded?: boolean
  autofocus?: boolean
}

export function Button(props: ButtonProps) {
  const [working, setWorking] = useState(false)
  const busy = props.busy === true || working
  const press = (event: MouseEvent) => {
    if (busy) return
    const outcome = props.onPress?.(event)
    if (outcome instanceof Promise) {
      setWorking(true)
      void outcome.finally(() => setWorking(false))
    }
  }
  return <button type={props.type ?? 'button'} class={look(props)} disabled={props.disabled === true} onClick={press}
    aria-busy={busy} aria-pressed={props.pressed} aria-expanded={props.expanded} title={tip(props)}
    autofocus={props.autofocus === true}>
    {busy ? <Spinner /> : props.icon && <Icon name={props.icon} size={16} />}
    {props.square ? <span class="hidden">{props.children}</span> : props.children}
  </button>
}

interface LinkProps extends Look {
  href: string
  /** Another site: in a tab of its own. */
  external?: boolean
  download?: string
}

export function LinkButton(props: LinkProps) {
  return <a class={look(props)} href={props.href} title={tip(props)} download={props.download}
    {...(props.external ? { target: '_blank', rel: 'noopener noreferrer' } : {})}>
    {props.icon && <Icon name={props.icon} size={16} />}
    {props.square ? <span class="hidden">{props.children}</span> : props.children}
  </a>
}

function look({ tone = 'plain', small, square }: Look): string {
  return `button ${tone}${small ? ' small' : ''}${square ? ' square' : ''}`
}

function tip({ title, square, children }: Look): string | undefined {
  return title ?? (square && typeof children === 'string' ? children : undefined)
}
