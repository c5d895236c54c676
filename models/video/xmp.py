"""XMP packet with the IPTC's digital source type."""

import struct
from xml.sax.saxutils import quoteattr

# Adobe's identifier of a box that holds XMP (XMP specification, part 3, MPEG-4).
_XMP_BOX = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")


def xmp_box(digital_source_type: str) -> bytes:
    """Return an MP4's box that tells the digital source type (IPTC Photo and Video Metadata, ``Iptc4xmpExt``).

    Args:
        digital_source_type: Address of the type at the IPTC.
    """
    packet = (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
        f"Iptc4xmpExt:DigitalSourceType={quoteattr(digital_source_type)}/>"
        '</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()
    return struct.pack(">I4s", 8 + len(_XMP_BOX) + len(packet), b"uuid") + _XMP_BOX + packet
