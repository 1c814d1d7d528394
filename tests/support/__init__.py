"""What end-to-end tests share: a real installation, driven from outside as its users drive it."""
