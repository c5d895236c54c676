"""The web page: HTML, CSS and ES modules; the ingress puts the modules together and serves them."""
