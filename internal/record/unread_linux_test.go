package record

func resetsUnread() bool { return true }
