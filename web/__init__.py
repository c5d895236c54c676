"""The web page: HTML, CSS and ES modules, which the ingress serves as they are."""
