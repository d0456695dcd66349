// The kit: our components, told everything by props. Each file says at its head what is in it and how it is used.

export { Address } from './address'
export { Badge, Notice, type State } from './badge'
export { Button, LinkButton } from './button'
export { Chart, type Series } from './chart'
export { CodeBlock, CopyButton } from './copy'
export { Actions, confirm, Confirmations, Dialog, type Question } from './dialog'
export { FilterSelect, FilterText } from './filter'
export {
  Checkbox, DurationField, Field, Fields, Form, ListField, NumberField, Select, SizeField, TextArea, TextField, useForm,
  type Bound, type Choice, type FormModel,
} from './form'
export { Icon, type IconName } from './icon'
export { Loaded } from './loaded'
export { LoginView, type Credentials, type PasskeyLogins } from './login'
export { Menu, type MenuItem } from './menu'
export { Card, Facts, Page, Tile, Tiles } from './page'
export { Palette, paletteOpen, type Command } from './palette'
export { closePopup, popup, Popups, type PopupItem } from './popup'
export { Progress, Spinner } from './progress'
export { RefusedMail } from './refused'
export { browserName, SecondFactorCard, SessionsCard, TokensCard } from './security'
export { Shell, type Place, type PlaceGroup } from './shell'
export { Guard, start } from './start'
export { Empty, Skeleton, Table, type Column } from './table'
export { Tabs, type Tab } from './tabs'
export { Time } from './time'
export { attempt, toast, Toasts, type Toast } from './toast'
